"""Network architectures, built of MONAI blocks, and their export as ONNX graphs."""
