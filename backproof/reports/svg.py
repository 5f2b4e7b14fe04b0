"""SVG by hand: elements as text, with all that stands in them escaped. Colours are classes, which the page has for light and for dark."""

from markupsafe import Markup, escape

from backproof.reports.values import clean

LONGEST_TITLE = 300


def element(tag: str, *content: str, **attributes: object) -> Markup:
    """One element; content: text, or other elements; an attribute's underscore is a dash, and class_ is class."""
    named = {name.rstrip("_").replace("_", "-"): _written(value) for name, value in attributes.items() if value is not None}
    inside = Markup("").join(content)
    opened = Markup("").join(Markup(' {}="{}"').format(name, value) for name, value in named.items())
    return Markup("<{0}{1}>{2}</{0}>").format(Markup(tag), opened, inside) if inside else Markup("<{}{}/>").format(Markup(tag), opened)


def text(x: float, y: float, said: str, class_: str = "", anchor: str = "middle") -> Markup:
    """Text at a point."""
    return element("text", escape(said), x=x, y=y, class_=class_ or None, text_anchor=None if anchor == "start" else anchor)


def line(x1: float, y1: float, x2: float, y2: float, class_: str) -> Markup:
    """A line from one point to another."""
    return element("line", x1=x1, y1=y1, x2=x2, y2=y2, class_=class_)


def picture(width: float, height: float, title: str, *content: str, class_: str = "picture") -> Markup:
    """A whole picture; title: what a screen reader says of it."""
    title = clean(title, LONGEST_TITLE)
    return element(
        "svg",
        element("title", escape(title)),
        *content,
        viewBox=f"0 0 {_written(width)} {_written(height)}",
        class_=class_,
        role="img",
        aria_label=title,
        style=f"--wide:{_written(width)}px",
    )


def _written(value: object) -> str:
    """A number as short as a picture needs it."""
    return f"{round(value, 1):g}" if isinstance(value, float) else str(value)
