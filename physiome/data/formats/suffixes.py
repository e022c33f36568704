"""Which files are of which format. Apart from the readers: to look for files needs none of them."""

FORMATS = {  # in the order of preference; first the suffix that a record is named by
    "EDF": (".edf",),
    "BDF": (".bdf",),
    "BrainVision": (".vhdr",),
    "FIF": (".fif",),
    "EEGLAB": (".set",),
    "vital": (".vital",),
    "WFDB": (".hea", ".mat", ".dat"),
}
OF_FORMAT = {suffix: name for name, suffixes in FORMATS.items() for suffix in suffixes}
BY_MNE = ("BrainVision", "FIF", "EEGLAB")
NAMING = tuple(suffixes[0] for suffixes in FORMATS.values())  # one file a record
