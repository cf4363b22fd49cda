"""What a test reads off a drawn figure."""

from matplotlib.text import Text


def texts(figure):
    figure.draw_without_rendering()
    found = (text.get_text() for text in figure.findobj(Text) if text.get_visible())
    return [text.replace("\N{NO-BREAK SPACE}", " ") for text in found if text]


def says(figure, phrase):
    return phrase in " ".join(" ".join(texts(figure)).split())


def drawn(axes, label):
    (line,) = [line for line in axes.get_lines() if line.get_label() == label]
    return line
