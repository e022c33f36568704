from physiome.errors import DataError


def test_an_error_is_one_line_of_what_prints():
    error = DataError("no channel", where="a\nb.edf", why="\x1b[31mEEG\r", do="\udc80 \N{SNOWMAN}")
    assert str(error) == r"a\nb.edf: no channel - \x1b[31mEEG\r - \udc80 " + "\N{SNOWMAN}"
    assert str(error).isprintable()


def test_what_is_not_said_leaves_no_trace():
    assert str(DataError("cut", why="1 of 2 bytes")) == "cut - 1 of 2 bytes"
