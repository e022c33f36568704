import errno
import warnings

import pytest

from physiome.data.formats.complaints import refuse_complaints
from physiome.errors import DataError


@pytest.mark.parametrize(
    ("complain", "says"),
    [
        (lambda: warnings.warn("half is lost", RuntimeWarning, stacklevel=1), "half is lost"),
        (lambda: print("Error in\tfile: 7"), "Error in file: 7"),
        (lambda: [][0], "IndexError"),
        (lambda: int("x"), "ValueError: invalid literal"),
    ],
)
def test_a_complaint_is_an_error_about_the_file(complain, says):
    with pytest.raises(DataError, match=f"^a.vital: .*{says}"), refuse_complaints("a.vital", "lib"):
        complain()


def test_our_own_errors_and_a_lack_of_memory_pass():
    for error in (DataError("cut"), MemoryError()):
        with pytest.raises(type(error)) as caught, refuse_complaints("a.edf", "lib"):
            raise error
        assert caught.value is error


def test_a_disk_that_fails_says_nothing_about_the_file():
    with pytest.raises(OSError, match="Input/output"), refuse_complaints("a.edf", "lib"):
        raise OSError(errno.EIO, "Input/output error")


def test_a_warning_about_the_library_s_code_is_passed_on():
    with pytest.warns(DeprecationWarning, match="old"), refuse_complaints("a.edf", "lib"):
        warnings.warn("old", DeprecationWarning, stacklevel=1)


def limited(*lines: str):
    """What is raised for a library that says these lines, where the first kind is known."""
    with refuse_complaints("a.edf", "lib", known=r"Limited \d+"):
        for line in lines:
            warnings.warn(line, RuntimeWarning, stacklevel=1)
            print(line)


def test_only_what_the_caller_knows_of_is_let_pass():
    limited("Limited 3 annotations")
    with pytest.raises(DataError, match="this file - Not so Limited 3 - fetch"):
        limited("Limited 3 annotations", "Not so Limited 3")


def test_silence_is_fine_and_what_is_printed_later_is_printed(capsys):
    with refuse_complaints("a.edf", "lib"):
        samples = [1, 2]
    print(samples)
    assert capsys.readouterr().out == "[1, 2]\n"
