"""The tint behind a figure in a table: teal above zero, red below, stronger the further."""


def tint(value: float | None, full: float) -> str:
    """CSS; ``full`` is the size that is tinted most."""
    if value is None or full <= 0:
        return "transparent"
    strength = min(abs(value) / full, 1.0) * 0.5
    red, green, blue = (45, 212, 191) if value >= 0 else (242, 95, 92)
    return f"rgb({red} {green} {blue} / {strength:.2f})"
