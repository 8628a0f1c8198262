"""Compiles the digits network, runs the circuit on the unseen images and prints what came out."""

from pathlib import Path

import numpy as np

import c4ml_xdsl as c4ml

HERE = Path(__file__).parent


def main() -> None:
    """Compiles, classifies, writes the Verilog."""
    circuit = c4ml.compile(HERE / "digits.onnx")
    with np.load(HERE / "digits.npz") as archive:
        images, labels = archive["x"], archive["labels"]
    scores = circuit(images)
    assert isinstance(scores, np.ndarray)
    right = int(np.sum(scores.argmax(axis=1) == labels))
    print("one image of the test set:")
    for row in images[0].reshape(8, 8):
        print("   " + "".join(" .:-=+*#%@"[min(int(pixel) * 10 // 16, 9)] for pixel in row))
    print(f"the circuit says {scores[0].argmax()}, the label {labels[0]}")
    print(f"accuracy of the circuit: {right} of {len(labels)} images ({right / len(labels):.1%})")
    totals = circuit.report["totals"]
    print(f"estimated size: {totals['lut']} LUTs, {circuit.report['verilog_lines']} lines of Verilog")
    for entry in circuit.report["verified"]:
        print(f"checked: {entry['reference']} = {entry['level']} on {entry['vectors']} random vectors")
    circuit.package(HERE / "build")
    print(f"wrote {HERE / 'build'}")


if __name__ == "__main__":
    main()
