-- name   staged_runs
-- grain  one row a collection, block of four hours, series, size and label of the batch
-- reads  placed_folds
-- params part, part_count
-- why    Sizes change rarely, so a batch is far smaller as runs than as rows. A block has 48 slots of five minutes; `slots` has a
--        bit for each in which the series was listed so. Where no slot of a block has two polls, the bits say exactly which.
--        What is too much at once is made in parts, of some collections each. Folds that are told once are runs as they are.
select
    collection_key,
    block_s,
    series_key,
    allocated_size,
    label_key,
    cast(sum(row_count) as bigint) as row_count,
    bit_or(slots) as slots,
    min(first_poll_s) as first_poll_s,
    max(last_poll_s) as last_poll_s,
    min(first_slot) as first_slot,
    max(last_slot) as last_slot,
    min(least_phase_s) as least_phase_s,
    max(greatest_phase_s) as greatest_phase_s,
    min(file_number) as file_number,
    max(greatest_file_number) as greatest_file_number,
    max(listing) as listing
from placed_folds
where collection_key % $part_count = $part
group by collection_key, block_s, series_key, allocated_size, label_key
