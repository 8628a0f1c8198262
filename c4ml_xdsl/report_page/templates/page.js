(function () {
  "use strict";
  const root = document.documentElement;
  root.classList.add("js");

  const button = document.getElementById("theme");
  const themes = ["system", "light", "dark"];
  let theme = "system";
  try { theme = localStorage.getItem("c4ml-theme") || "system"; } catch (error) { /* no storage for files here */ }
  function show(name) {
    theme = themes.includes(name) ? name : "system";
    if (theme === "system") { delete root.dataset.theme; } else { root.dataset.theme = theme; }
    button.textContent = "Theme: " + theme;
    try { localStorage.setItem("c4ml-theme", theme); } catch (error) { /* nothing is kept then */ }
  }
  button.hidden = false;
  button.addEventListener("click", () => show(themes[(themes.indexOf(theme) + 1) % themes.length]));
  show(theme);

  const drawing = document.querySelector(".drawing");
  drawing.scrollLeft = (drawing.scrollWidth - drawing.clientWidth) / 2;

  // what doesn't scroll needs no stop of the Tab key
  const scrolled = Array.from(document.querySelectorAll(".scroll"));
  function stops() {
    for (const each of scrolled) {
      if (each.scrollWidth > each.clientWidth) { each.tabIndex = 0; } else { each.removeAttribute("tabindex"); }
    }
  }
  window.addEventListener("resize", stops);
  stops();

  const panel = document.getElementById("panel");
  const boxes = Array.from(document.querySelectorAll(".graph a.box"));
  let pinned = null;
  panel.hidden = boxes.length === 0;

  function entry(box) { return document.getElementById(box.getAttribute("href").slice(1)); }

  function tell(box) {
    const copy = entry(box).cloneNode(true);
    const link = document.createElement("a");
    const place = document.createElement("p");
    place.className = "way";
    link.href = box.getAttribute("href");
    link.textContent = "Go to its entry";
    place.append(link);
    panel.replaceChildren(...copy.childNodes, place);
    for (const each of panel.querySelectorAll("[tabindex]")) { each.removeAttribute("tabindex"); each.removeAttribute("role"); each.removeAttribute("aria-label"); }
    for (const line of document.querySelectorAll(".graph .line")) {
      line.classList.toggle("near", line.dataset.source === box.dataset.box || line.dataset.target === box.dataset.box);
    }
  }

  function pin(box) {
    if (pinned) { pinned.removeAttribute("aria-current"); }
    pinned = box;
    box.setAttribute("aria-current", "true");
    tell(box);
  }

  for (const box of boxes) {
    box.addEventListener("mouseenter", () => tell(box));
    box.addEventListener("mouseleave", () => { if (pinned) { tell(pinned); } });
    box.addEventListener("focus", () => tell(box));
    box.addEventListener("click", (event) => {
      pin(box);
      if (panel.offsetParent !== null) { event.preventDefault(); }
    });
  }
})();
