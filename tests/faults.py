"""Every fault of the catalogue that this pipeline must survive, and where it is injected for real; or why it cannot occur here.

A place is `file::test`, below tests/; `simulation` is `python -m tests.simulation`, whose short lives run in test_simulation.py.
tests/test_fault_rows.py holds that every place is there; `python -m tests.scorecard` counts them.
"""

from typing import NamedTuple


class Fault(NamedTuple):
    row: str
    name: str
    places: tuple[str, ...]
    reason: str = ""  # why nothing is injected, or what the design makes of it


COLLECT = "collector/test_collect_faults.py::"
CRASHES = "collector/test_collect_crashes.py::"
AROUND = "collector/test_collect_surroundings.py::"
RUNNING = "collector/test_collect_running.py::"
STAGING = "ingest/test_staging.py::"
SMALL = "ingest/test_small_tables.py::"
FORMATS = "ingest/test_formats.py::"
STORE = "store/test_store.py::"
PROCESSES = "store/test_two_processes.py::"
CLOSING = "books/test_closing.py::"
KILLED = "books/test_crashes.py::"
RESTATED = "books/test_restated_in_the_open.py::"
VERIFY = "books/test_verify.py::"
PROPERTIES = "properties/test_accounting_properties.py::"
AUDIT = "reporting/test_audit.py::"
SHEETS = "reporting/test_reports_add_up.py::"
MONEY = "billing/test_money.py::"
CALENDAR = "billing/test_calendar.py::"
CASES = "cases/test_worked_cases.py::test_a_worked_case_comes_to_what_was_worked_out_by_hand"
SIMULATION = "test_simulation.py::test_a_life_under_faults_is_billed_as_the_oracle_bills_it"
NO_LISTING = COLLECT + "test_what_is_no_listing_is_no_poll_and_its_cause_is_told"
FUZZ = "fuzz/test_fuzz_files.py::"

FAULTS = (
    # --- C: collector, API ---
    Fault("C1", "a page cap", (COLLECT + "test_a_server_that_caps_its_pages_is_paged_to_the_end",)),
    Fault("C2", "a list that changes between pages", (
        COLLECT + "test_a_list_that_changes_under_way_is_read_again", COLLECT + "test_a_list_that_never_comes_to_rest_is_no_poll",
    )),
    Fault("C3", "an unstable order", (COLLECT + "test_an_order_that_is_never_the_same_twice_gives_each_snapshot_once_or_none",)),
    Fault("C4", "a wrong total_count", (
        COLLECT + "test_a_total_count_of_0_beside_a_full_list_is_flagged_and_the_list_is_kept",
        COLLECT + "test_a_total_count_that_is_never_reached_is_no_poll",
        "collector/test_listing.py::test_what_is_told_wrongly_of_a_list_loses_nothing_of_it",
        "collector/test_listing.py::test_a_page_whose_count_is_its_own_is_not_taken_for_the_list",
    )),
    Fault("C5", "one location hangs", (
        COLLECT + "test_a_location_that_hangs_ends_with_the_cycle_and_delays_no_other",
        RUNNING + "test_a_server_that_never_comes_to_an_end_costs_its_own_polls_only",
        CLOSING + "test_missing_time_is_tolerated_up_to_just_the_tolerance",
    )),
    Fault("C6", "an answer is lost, and asked for again", (AROUND + "test_an_answer_that_got_lost_is_asked_for_again_and_is_one_poll",)),
    Fault("C7", "a body is cut inside good framing", (NO_LISTING,)),
    Fault("C8", "200 with something else", (NO_LISTING,)),
    Fault("C9", "a shared snapshot", (
        COLLECT + "test_a_snapshot_that_is_shared_with_a_second_polled_account_is_billed_once_to_its_owner",
        AUDIT + "test_a_shared_snapshot_whose_owner_nobody_polls",
        COLLECT + "test_a_listing_of_other_accounts_only_where_own_ones_were_is_odd_and_counts_as_it_says",
    )),
    Fault("C10", "401 and 403", (NO_LISTING, COLLECT + "test_a_401_is_not_tried_again")),
    Fault("C11", "a storm of 429 and 503", (
        NO_LISTING, COLLECT + "test_a_retry_after_that_is_longer_than_the_cycle_ends_the_attempt",
        COLLECT + "test_a_fault_that_passes_is_tried_again_within_the_cycle",
    )),
    Fault("C12", "snapshots in the making, size 0", (CASES, STAGING + "test_what_is_just_within_the_bounds_is_taken")),
    Fault("C13", "JSON that lax parsers take", (NO_LISTING, SMALL + "test_json_that_is_no_fact_is_rejected_and_never_an_accident")),
    Fault("C14", "two collectors", (
        CRASHES + "test_two_collectors_never_run_on_one_spool",
        RUNNING + "test_a_second_collector_is_refused_and_the_first_goes_on",
        RUNNING + "test_who_has_no_right_to_a_spool_is_told_so_and_changes_nothing",
    )),
    # --- I: ingest, files ---
    Fault("I1", "the same file twice, renamed", (FORMATS + "test_the_same_facts_twice_and_under_another_name_change_nothing",)),
    Fault("I2", "the same key, another size", (STAGING + "test_the_same_poll_with_other_content_is_kept_aside_and_reported_once",)),
    Fault("I3", "a key too coarse", (STAGING + "test_two_snapshots_of_one_drive_at_one_time_are_both_counted",)),
    Fault("I4", "account 00123, location NA", (CASES, FORMATS + "test_every_format_gives_the_same_bytes")),
    Fault("I5", "a half-written file", (
        "reporting/test_facts_round_trip.py::test_a_directory_that_is_not_what_its_manifest_says_is_refused",
        FORMATS + "test_a_compressed_file_that_was_cut_off_or_damaged_is_refused_whole",
        STAGING + "test_a_file_that_changes_while_it_is_read_is_refused", "collector/test_spool.py::test_what_is_not_sealed_does_not_exist",
    ), "A plain file without a manifest that is cut at a line's end, or inside its last digits, cannot be told from a whole one: many "
       "programs end no last line. Name it when it is whole; the manifest of `export facts` tells a cut to the byte. When it comes again "
       "whole, the polls that were cut differ, which is a conflict and is reported."),
    Fault("I6", "a renamed column, another unit", (
        FORMATS + "test_a_missing_column_is_named_with_its_file",
        STAGING + "test_each_row_that_cannot_be_a_sample_is_rejected_with_field_value_and_reason",
    )),
    Fault("I7", "a[1].parquet beside a1.parquet", (FORMATS + "test_a_file_with_a_pattern_in_its_name_is_the_file_that_is_read",)),
    # --- K: store, crash ---
    Fault("K1", "kill -9 at each write", (
        STORE + "test_an_ingest_that_is_killed_at_any_step_leaves_all_or_nothing_and_can_be_run_again",
        CRASHES + "test_killed_at_any_step_nothing_durable_is_lost_and_nothing_doubled", SIMULATION,
        RUNNING + "test_a_terminal_that_is_closed_while_lines_become_durable_ends_it_with_0_and_they_are_counted",
    )),
    Fault("K2", "a torn or empty store", (
        STORE + "test_a_store_that_was_cut_off_is_refused_in_one_line", STORE + "test_a_file_of_no_bytes_is_refused_and_left_alone",
    )),
    Fault("K3", "a flipped bit", (
        STORE + "test_bits_that_flipped_are_found_before_anything_is_billed",
        VERIFY + "test_any_byte_of_the_file_that_is_changed_is_found_or_says_nothing_else",
        RUNNING + "test_files_that_are_damaged_while_they_wait_are_set_aside_and_the_rest_goes_on",
    )),
    Fault("K4", "a full disk", (
        CRASHES + "test_a_full_disk_fails_the_polls_and_tells_so",
        RUNNING + "test_polls_wait_while_the_store_cannot_be_written_and_are_delivered_when_it_can", "store/test_faulty_disk.py::test_a_disk_that_fails_anywhere_leaves_old_or_new_and_the_same_again_ends_well", SIMULATION,
    )),
    Fault("K5", "committed, and the client did not hear of it", (
        PROCESSES + "test_who_did_not_hear_that_it_was_committed_tries_again_and_adds_nothing", SIMULATION,
    )),
    Fault("K6", "two writers", (PROCESSES + "test_two_processes_that_ingest_the_same_facts_at_once_bring_them_once",)),
    Fault("K7", "a reader while a writer holds the store, and the reverse", (
        STORE + "test_a_reader_waits_for_the_writer_and_then_says_who_holds_the_store",
        STORE + "test_a_writer_waits_for_the_reader_and_then_says_who_holds_the_store",
        CRASHES + "test_a_reader_of_the_store_only_makes_files_wait",
    )),
    Fault("K8", "a report while facts come", (PROCESSES + "test_a_report_while_facts_come_sees_what_was_before_or_what_is_after",)),
    Fault("K9", "an old backup", (VERIFY + "test_a_store_restored_from_an_old_backup_is_found_and_bills_with_an_error", SIMULATION)),
    # --- T: time ---
    Fault("T1", "a sample at the window's edge", (CASES,)),
    Fault("T2", "days of 23 and 25 hours", (CALENDAR + "test_a_day_has_24_hours_even_where_the_wall_clock_is_changed",)),
    Fault("T3", "a time zone of the process", ("properties/test_determinism.py::test_the_process_changes_no_byte",
        "properties/test_every_command_is_deterministic.py"
        "::test_every_command_gives_the_same_bytes_in_any_process_and_from_shuffled_facts",
        PROPERTIES + "test_time_zone_threads_and_a_store_on_disk_change_no_byte")),
    Fault("T4", "an offset that is dropped", (
        STAGING + "test_each_row_that_cannot_be_a_sample_is_rejected_with_field_value_and_reason",
        "ingest/test_parquet_types.py::test_a_timestamp_without_time_zone_is_refused_with_its_row",
    )),
    Fault("T5", "clocks that step and differ", (
        STORE + "test_a_clock_that_was_set_back_never_puts_an_ingest_before_the_last", AUDIT + "test_clocks_that_differ",
        AROUND + "test_clocks_that_are_apart_are_told_by_endpoint_and_the_polls_are_taken", SIMULATION,
        RUNNING + "test_a_clock_that_jumps_is_told_and_neither_stops_nor_hurries_the_cycles",
        "collector/test_collect_manners.py::test_an_answer_from_before_the_machine_slept_is_none_of_now",
    )),
    Fault("T6", "one instant in several precisions", (STAGING + "test_fractions_of_one_second_are_one_poll",)),
    Fault("T7", "late samples, in any order", (
        PROPERTIES + "test_order_batching_duplicates_and_file_format_change_no_byte",
        RESTATED + "test_a_day_whose_polls_came_late_is_billed_in_the_next_open_day",
    )),
    Fault("T8", "leap days, the 31st", (
        CALENDAR + "test_months_and_days_tile_leap_days_included", "model/test_terms.py::test_the_interval_of_any_purchase_is_what_the_oracle_says",
    )),
    # --- A: aggregation ---
    Fault("A1", "more than 2^63 byte-seconds", (CASES, "properties/test_worlds_equal_oracle.py::test_every_field_of_a_bill_is_what_the_oracle_says")),
    Fault("A2", "missed polls", (CASES, RUNNING + "test_a_machine_that_slept_misses_time_and_polls_on_without_catching_up", PROPERTIES + "test_each_second_is_in_one_state_and_no_row_is_lost")),
    Fault("A3", "a snapshot that vanishes and returns", (CASES, AUDIT + "test_a_size_that_falls_to_nothing_and_comes_back")),
    Fault("A4", "all snapshots deleted in mid-month", (CASES,)),
    Fault("A5", "no sample inside the window, one before it", (CASES,)),
    Fault("A6", "engines that differ", (
        "properties/test_worlds_equal_oracle.py::test_every_field_of_a_bill_is_what_the_oracle_says",
        "properties/test_worlds_are_explained.py::test_every_charge_can_be_redone_from_its_explanation",
        "engine/test_spark.py::test_hostile_worlds_give_the_same_bytes_and_the_same_rejections",
    )),
    Fault("A7", "a join that fans out", (
        AUDIT + "test_snapshots_that_do_not_add_up_to_usage", AUDIT + "test_usage_that_is_one_byte_off_what_the_samples_make",
        VERIFY + "test_a_row_that_was_put_in_twice_is_found",
    )),
    # --- B: subscriptions ---
    Fault("B1", "starts and ends at noon", (CASES,)),
    Fault("B2", "an extension listed twice", (
        SMALL + "test_a_subscription_that_reaches_us_twice_counts_once_by_location_and_id",
        "ingest/test_readings.py::test_a_subscription_is_known_by_its_interval_and_an_extension_once",
    )),
    Fault("B3", "a gap or an overlap at renewal", (CASES, AUDIT + "test_subscriptions_of_one_amount_that_overlap")),
    Fault("B4", "expired ones, other resources", (
        CASES, SMALL + "test_other_resources_than_backup_are_ignored_and_counted",
        "ingest/test_readings.py::test_a_subscription_is_known_by_its_interval_and_an_extension_once",
    )),
    Fault("B5", "a backdated subscription", (RESTATED + "test_a_backdated_subscription_gives_back_what_was_billed",)),
    # --- R: rating, money ---
    Fault("R1", "half-cent ties, negatives", (MONEY + "test_a_tie_goes_to_the_even_digit_or_away_from_zero",)),
    Fault("R2", "lines against the total", (MONEY + "test_eighty_one_thirds_are_shown_so_that_they_add_up",)),
    Fault("R3", "the decimal context", (MONEY + "test_the_decimal_context_of_the_process_changes_nothing",)),
    Fault("R4", "a price changed in place", (
        RESTATED + "test_a_corrected_price_takes_the_old_line_back_and_bills_the_new_one",
        AUDIT + "test_a_price_that_is_many_times_the_one_before",
    )),
    Fault("R5", "one resource in several currencies and levels", (
        SMALL + "test_two_rows_of_one_key_and_instant_are_both_refused_if_they_differ", CASES,
    )),
    Fault("R6", "a burst level that changes every five minutes", (CASES, PROPERTIES + "test_the_parts_of_a_period_add_up_to_the_whole")),
    Fault("R7", "1E2000000 and its like", (SMALL + "test_a_row_that_is_no_fact_is_rejected_with_field_and_reason",)),
    Fault("R8", "currencies of no and of three decimals", (CASES, MONEY + "test_what_is_due_is_rounded_half_up_to_the_minor_unit")),
    Fault("R9", "GB/month over 28 or 31 days", (CALENDAR + "test_a_price_per_month_is_for_30_days_whatever_the_month",)),
    # --- X: close, restatement ---
    Fault("X1", "closed twice, at once", (
        KILLED + "test_two_processes_that_close_at_once_make_one_closing", CLOSING + "test_a_second_closing_changes_nothing_and_tells_the_first",
    )),
    Fault("X2", "late data after closing", (RESTATED + "test_a_day_whose_polls_came_late_is_billed_in_the_next_open_day", SIMULATION)),
    Fault("X3", "killed while closing", (
        KILLED + "test_a_closing_that_is_killed_before_it_is_committed_never_was",
        KILLED + "test_a_closing_that_is_killed_before_its_head_is_written_stands_and_the_next_mends_the_head", SIMULATION,
    )),
    Fault("X4", "a correction of a correction", (
        RESTATED + "test_a_correction_of_a_correction_of_a_correction_nets_to_the_truth",
        "books/test_random_histories.py::test_closed_and_adjusted_is_the_truth_in_every_history",
    )),
    Fault("X5", "another version of the program", (
        "test_sample_data.py::test_the_bill_is_the_one_worked_out_by_hand",
        VERIFY + "test_a_statement_that_was_changed_together_with_its_digest_is_found_by_its_figures",
    ), "The sample month is the golden one, and verify computes every closed month again with the program as it is."),
    Fault("X6", "incomplete evidence at closing", (
        CLOSING + "test_missing_time_is_tolerated_up_to_just_the_tolerance", CLOSING + "test_burst_without_a_price_is_refused_and_listed",
    )),
    # --- E: exports ---
    Fault("E1", "an export that differs from the books", (
        SHEETS + "test_every_format_holds_the_same_figures_to_the_last_digit",
        "reporting/test_facts_round_trip.py::test_exported_facts_give_the_same_bill_when_they_are_ingested_again",
    )),
    Fault("E2", "15 digits of a spreadsheet", (
        SHEETS + "test_figures_stand_in_a_sheet_as_plain_decimals_with_a_figure_for_the_eye_beside_them",
    )),
    Fault("E3", "names with anything in them", ("reporting/test_any_name.py::test_names_come_back_from_csv_and_from_json_as_they_were",)),
    Fault("E4", "killed during an export", (
        PROCESSES + "test_an_export_that_is_killed_leaves_the_file_that_was_there",
        SHEETS + "test_a_file_is_exported_whole_or_stays_as_it_was",
    )),
    # --- Z: security ---
    Fault("Z1", "names that are formulas", (
        SHEETS + "test_text_that_a_spreadsheet_would_run_is_made_text",
        "reporting/test_any_name.py::test_names_come_back_from_csv_and_from_json_as_they_were",
    )),
    Fault("Z2", "names that are markup", ("reporting/test_explain.py::test_the_page_stands_alone_and_takes_no_name_for_markup",)),
    Fault("Z3", "a redirect to another host", (AROUND + "test_a_redirect_takes_nothing_to_another_host", NO_LISTING)),
    Fault("Z4", "secrets in logs", (
        "cli/test_no_secret_is_told.py::test_no_secret_is_told_however_a_collection_ends",
        "cli/test_no_secret_is_told.py::test_no_secret_is_told_however_an_alert_ends",
        COLLECT + "test_no_password_is_ever_told",
        "collector/test_echoed_logins.py::test_a_login_that_an_answer_repeats_is_told_logged_and_stored_nowhere",
        "cli/test_collect_command.py::test_settings_that_are_wrong_are_told_in_one_line_without_what_is_secret",
    )),
    Fault("Z5", "a secret in an argument, a file that others may read", (
        "fuzz/test_fuzz_words.py::test_no_command_takes_a_secret_as_an_argument",
        "reporting/test_alerts.py::test_an_address_that_is_a_secret_is_read_from_a_file_and_stands_in_no_argument",
        "cli/test_collect_command.py::test_a_password_file_that_others_may_read_is_refused_and_the_others_are_polled",
    )),
    Fault("Z6", "bombs of gzip and of nesting", (NO_LISTING, "ingest/test_memory_of_lines.py::test_a_small_compressed_file_is_read_within_little_memory",
        "fuzz/test_fuzz_words.py::test_settings_that_are_a_trap_are_told_in_one_line",
        "ingest/test_bombs.py::test_a_file_that_unfolds_without_end_is_refused",
        "ingest/test_bombs.py::test_a_line_without_end_is_rejected_and_the_rest_is_taken",
        "ingest/test_bombs.py::test_an_answer_beyond_a_limit_is_no_poll_and_names_the_limit")),
    Fault("Z7", "names that are paths or SQL", ("test_hostile_names.py::test_a_hostile_name_is_text_wherever_it_stands",)),
    Fault("Z8", "SQL that reads files or variables", (
        "store/test_locked_down.py::test_no_sql_reaches_a_file_that_nobody_named",
        "store/test_locked_down.py::test_a_python_variable_is_no_table",
        "store/test_locked_down.py::test_facts_that_a_link_stands_for_are_read_and_what_lies_beside_them_is_not",
        "store/test_locked_down.py::test_a_writer_of_a_file_writes_that_file_only",
        "engine/test_queries.py::test_no_query_is_a_template_and_keywords_are_lowercase",
    )),
    Fault("Z9", "hostile Parquet", (
        FUZZ + "test_parquet_whose_bytes_were_changed_is_taken_or_told", "ingest/test_parquet_types.py::"
        "test_damage_behind_a_sound_footer_is_told_with_its_file_and_nothing_is_taken",
    )),
    Fault("Z10", "a dependency that was swapped", ("test_packaging.py::test_every_dependency_has_a_bound_on_both_sides_or_a_reason",),
          "What is installed is chosen where it is installed: README.md says how to pin it by hash and how to audit it."),
    Fault("Z11", ".netrc and proxies of the environment", (
        AROUND + "test_neither_a_proxy_nor_a_login_nor_a_certificate_of_the_environment_is_heeded",
        "reporting/test_alerts.py::test_neither_a_proxy_nor_a_login_of_the_environment_is_heeded",
    )),
)  # fmt: skip

# The catalogue's rows, by group: whatever it lists is answered above.
CATALOGUE = {"C": 14, "I": 7, "K": 9, "T": 8, "A": 7, "B": 5, "R": 9, "X": 6, "E": 4, "Z": 11}
