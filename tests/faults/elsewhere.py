"""Faults whose tests lie in other folders: a row of the table in tests/README.md each.

Those with a file in this folder say the same in its docstring; see table.py.
"""

from typing import NamedTuple


class Fault(NamedTuple):
    fault: str
    what_happens: str
    tests: list[str]  # file::function, below tests/


ELSEWHERE = {
    31: Fault(
        "Rows or files of one's own recordings edited after a run: a label, a subject, "
        "another file under the name, moved, touched",
        "The batches of the changed records are cut again, and what stands on them; a touched "
        "file changes nothing; `doctor` names the records",
        [
            "workflow/test_own_recordings.py::test_an_edit_plans_the_batch_it_concerns",
            "workflow/test_own_recordings.py::test_edits_reach_the_table",
            "workflow/test_own_recordings.py::test_the_doctor_names_what_changed",
        ],
    ),
    32: Fault(
        "EDF+ whose data records do not follow each other, whatever its header says",
        "Left out; the reason names the data record and both times",
        [
            "data/test_edf_annotations.py::test_damaged_lists_are_refused_with_their_data_record",
            "workflow/test_faults_by_snakemake.py::test_a_jump_in_time_and_a_gain_of_zero_leave_a_record_out_of_the_table",
        ],
    ),
    33: Fault(
        "One person under two names: `S01` and `s1`, or the same signals under two subjects",
        "`folds` refuses before anything is trained and lists them; "
        "`folds.similar_names_differ` declares the first different",
        [
            "data/test_persons.py::test_similar_names_are_refused_unless_they_are_said_to_differ",
            "data/test_persons.py::test_the_same_signals_under_two_subjects_are_refused",
            "workflow/test_faults_by_snakemake.py::test_one_person_under_two_names_ends_the_run_before_anything_is_trained",
        ],
    ),
    34: Fault(
        "A results folder of another configuration that nothing remembers: copied, or shared "
        "by two working directories",
        "Refused while planning; names the first result, what differs, and the rules to force",
        [
            "workflow/test_reruns.py::test_results_of_other_settings_are_refused_where_nothing_remembers_them",
            "workflow/test_own_recordings.py::test_what_another_working_directory_made_in_the_same_folder_is_refused",
            "workflow/test_own_recordings.py::test_edits_that_nothing_remembers_are_refused",
        ],
    ),
    35: Fault(
        "A loss that trains nothing: no gradient, or weights as they were at the start",
        "An error at the first step, or at the end; no weights are written",
        [
            "training/test_standstill.py::test_a_loss_without_a_gradient_is_an_error_at_the_first_step",
            "training/test_standstill.py::test_weights_that_equal_their_start_are_an_error_at_the_end",
            "workflow/test_faults_by_snakemake.py::test_a_loss_without_a_gradient_ends_the_run_without_a_row",
        ],
    ),
    36: Fault(
        "WFDB without calibration (gain 0 or none), or with channels shifted against each other",
        "Left out where the modality asks for a unit; a shifted record always",
        [
            "data/test_wfdb.py::test_a_gain_of_zero_is_no_calibration",
            "data/test_wfdb.py::test_a_skewed_record_is_refused",
            "workflow/test_faults_by_snakemake.py::test_a_jump_in_time_and_a_gain_of_zero_leave_a_record_out_of_the_table",
        ],
    ),
    37: Fault(
        "Titles with signs of formulas; frames too short for the network; a hundred thousand folds",
        "Printed as they are; refused before any job",
        [
            "reporting/test_report_steps.py::test_titles_may_hold_signs_of_formulas",
            "config/test_refusals.py::test_a_configuration_that_cannot_work_is_refused",
        ],
    ),
    38: Fault(
        "A modality in no recording; a class that never carries a modality or a pair",
        "`folds` refuses and names every fold, role, class and subset at once; with "
        "`folds.allow_missing_classes` these cells stay empty",
        [
            "data/test_carried.py::test_a_class_without_a_modality_is_refused_with_every_fold_role_and_subset",
            "data/test_carried.py::test_a_modality_in_no_recording_is_refused_even_if_classes_may_be_lacking",
        ],
    ),
    39: Fault(
        "A method of one's own that cannot embed some subset, or whose loss is no finite scalar",
        "An error before its training, in one line with the method's file and line",
        [
            "training/test_rehearsal.py::test_a_method_that_cannot_work_is_refused_with_its_file_and_line",
        ],
    ),
    40: Fault(
        "A result edited by hand: a table of windows, embeddings, scores per window, the "
        "scores' CSV, the folds",
        "The step that reads it refuses, with both sums and the command that makes it again",
        [
            "data/test_noted_sums.py::test_an_altered_or_missing_file_is_refused_with_what_to_do",
            "data/test_noted_sums.py::test_folds_in_which_a_subject_was_moved_are_refused",
        ],
    ),
    41: Fault(
        "A recording of days at a kilohertz",
        "Read and cut in stretches: under 1 GB (`make bench`), and what is cut does not "
        "depend on where stretches end",
        [
            "data/test_stretches.py::test_stretches_give_what_the_whole_gives",
            "data/test_stretches.py::test_a_gap_that_outlasts_what_is_read_around_a_stretch_changes_nothing_far_from_it",
        ],
    ),
    42: Fault(
        "A BDF, BrainVision, FIF, EEGLAB, CSV or Parquet file that is cut, interrupted, of another "
        "kind, in several parts, without a rate, or claims more than it holds",
        "Left out before anything is decoded, with the place; stretches that FIF skipped are gaps",
        [
            "data/test_more_formats.py::test_a_file_that_is_cut_is_refused",
            "data/test_more_formats.py::test_an_interrupted_recording_is_refused",
            "data/test_more_formats.py::test_something_else_under_this_suffix_is_refused",
            "data/test_more_formats.py::test_a_fif_of_several_files_is_refused",
            "data/test_more_formats.py::test_a_table_needs_a_rate",
        ],
    ),
    43: Fault(
        "More modalities than have subsets that could all be scored; subsets that do not exist",
        "Some are drawn; `all` of more than ten, or names that cannot be, are refused while "
        "planning with what to write instead",
        [
            "test_subsets.py::test_twenty_modalities_cost_no_more_than_what_is_asked_for",
            "test_subsets.py::test_all_of_eleven_modalities_is_refused_with_what_to_write_instead",
            "test_subsets.py::test_names_that_cannot_be_are_refused",
        ],
    ),
    44: Fault(
        "A lead of several dies in the middle, is lacking or there twice, comes in another order "
        "in every file, or lacks what it is measured against",
        "Absent from there on, never zeros, while the others go on; found by name in any order; "
        "the report names the lead and what was looked for; of two of one name none is chosen",
        [
            "data/test_leads.py::test_a_lead_that_dies_in_the_middle_is_absent_from_there_on_and_nowhere_zero",
            "data/test_leads.py::test_a_lead_that_the_file_lacks_is_absent_and_named",
            "data/test_leads.py::test_a_lead_that_is_there_twice_is_refused_or_told",
            "data/test_leads.py::test_the_order_in_the_file_does_not_matter",
            "data/test_leads.py::test_a_montage_that_lacks_the_reference_lacks_the_lead",
            "steps/test_lost_leads.py::test_a_night_is_scored_from_the_leads_that_are_left",
        ],
    ),
    45: Fault(
        "Published weights that are another network's, cut, huge, or a program",
        "Refused before training with what is missing, unknown or of another shape; never executed",
        [
            "nn/test_published_weights.py::test_weights_of_another_network_are_refused",
            "nn/test_published_weights.py::test_what_is_no_dictionary_of_tensors_is_refused_and_never_executed",
        ],
    ),
    46: Fault(
        "A PhysioNet project whose lists lead out of its folder, have another sum than the file, "
        "or none",
        "Nothing is written outside; such a file is no recording, with both sums",
        [
            "data/test_physionet.py::test_a_project_whose_lists_lead_elsewhere_is_refused",
            "data/test_physionet.py::test_a_file_with_another_sum_is_no_recording",
            "data/test_physionet.py::test_a_file_without_a_sum_is_not_fetched",
        ],
    ),
}
