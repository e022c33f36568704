"""The sentences of a model card; what stands in braces is filled in."""

OPENING = """\
# {title}, trained on {dataset}

It scores windows of {length} s of {modalities} as one of {classes}, from any non-empty subset of
these signals. In this bundle: {which}, the linear heads that were fitted on {whose} embeddings, and
`bundle.json` with the SHA-256 of every file. Written by `physiome export` {version} from the files
of a run; every number below is from them."""

USE = """\
## Use

Meant for research: to compare methods, to score recordings whose scores a person checks, to embed
windows for models of one's own. Not meant for diagnosis, monitoring or any decision about a person.

```
physiome predict RECORDING --bundle . --output scored.csv
```

```python
from physiome.predict.api import load

model = load(".")
p = model.predict_proba(model.read("RECORDING"))
```"""

USE_FOLDS = """

`--fold N` names one of the models, `--folds all` averages their probabilities."""

INPUTS = """\
## Inputs

Windows of {length} s at {rate} Hz, {lowpass}; a file's own rate is resampled. Channels are found by
name, without regard to case; `--map` names others.

{table}

The last column is the standard deviation of a window in training: the median, and in brackets what
98 % lie between. A recording outside it, by another amplifier or a misstated unit, is scored and
reported as unlike training; its probabilities then mean little."""

LEARNED = """\
## Learned from

{dataset}. Subjects of one role never have another in the same fold.

{table}
"""

TRAINING = (
    "- Last training of fold {fold}: {epochs} epochs, {steps} steps, {trained_parameters:,} of "
    "{parameters:,} parameters trained, on {device} ({precision}). What it began with, such as "
    "encoders, was trained before on subjects of the same fold and role."
)

TAKEN = (
    "- Weights of fold {fold}: those that the run trained for `{of}`, {parameters:,} parameters;"
    " they are only read otherwise."
)

SCORES = """\
## Scores

In percent. Each fold's model was tested on that fold's test subjects only, whom it never saw
({each}).{mean} All rows but `as_recorded` are of the test windows that carry every modality, with
those not named hidden. Intervals: bootstrap over test subjects, {resamples} resamples, the middle
95 %; they hold no spread over trainings. ACC: accuracy; AUC: area under the ROC curve, of more than
two classes one-vs-rest and averaged; BACC: balanced accuracy; ECE: expected calibration error, less
is better: by so much the largest probability differs from the share that is right.

{table}"""

WHOLE = """\
## Heads of whole recordings

On the same windows, by `--head centred`, which sees each window's embedding less the mean of its
recording or subject, and by `--head context`, which also sees the mean of its neighbours: scores
then depend on the other windows.

{table}"""

MEAN = (
    " Rows are means over folds. The mean of the models' probabilities (`--folds all`) has no test"
    " score: no subject of this data set is new to all of them."
)

FEW = (
    "**Few test subjects: {n}.** Of so few, intervals are too narrow rather than too wide, and"
    " of one in a fold there is none; others may score otherwise."
)

CONTROLS = """\
## Controls of the same run

The same windows and heads, {shorts} in percent. Hand-made: features of the signals without any
training; Majority: the most frequent class; untrained: the same network with weights as they were
before training; Random PhysioME: PhysioME's network with such weights. What a model scores above
its own network untrained is what it has learned; what it does not score above the others can be
had without learning.

{table}
"""

HIGHER = "- {title}: AUC at least as high as that of {own} in {n} of {rows} rows."

NO_CONTROLS = """\
## Controls of the same run

None: the run scored no control in these folds, so nothing here says what training has gained."""

MISSING = """\
## Missing modalities

A missing modality is left out, never replaced by zeros. A window is scored by the head of the
modalities it carries; where there is none for all of them, by that of the largest part that has
one; a window without any usable modality gets a reason and no class. Heads: {heads}."""

LIMITS = """\
## Limits

- Not a medical device: not validated for clinical use, by anybody.
- Everything here is from one data set, {dataset}: one way of recording and scoring, perhaps one
  site and one device. Nothing here shows how it does elsewhere.
- Amplitudes matter: see Inputs.
- Windows are scored one by one, but by heads of whole recordings; labels are as good as those that
  the data set has.
- Who the subjects were (age, sex, diagnoses) is not in the run's files, and how scores differ
  between groups was not measured."""

LICENCES = """\
## Licences

- Weights and heads: {weights}. Whoever hands them on decides, within what the data allow.
- The recordings they were learned from (source `{kind}`): not stated in the run's files. They have
  a licence of their own; look where they came from.
- The software `physiome`: MIT, see its LICENSE."""

PROVENANCE = """\
## Provenance

{table}

The weights hold the settings of their training and the name of the machine it ran on."""
