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


def test_a_warning_about_the_library_s_code_is_passed_on():
    with pytest.warns(DeprecationWarning, match="old"), refuse_complaints("a.edf", "lib"):
        warnings.warn("old", DeprecationWarning, stacklevel=1)


def test_silence_is_fine():
    with refuse_complaints("a.edf", "lib"):
        pass
