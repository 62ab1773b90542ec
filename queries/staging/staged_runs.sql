-- name   staged_runs
-- grain  one row a collection, block of four hours, series, size and label of the batch
-- reads  folded_samples, staged_key_numbers
-- params part, part_count
-- why    Sizes change rarely, so a batch is far smaller as runs than as rows. A block has 48 slots of five minutes; `slots` has a
--        bit for each in which the series was listed so. Where no slot of a block has two polls, the bits say exactly which.
--        What is too much at once is made in parts, of some collections each.
--        A block with polls before 1970 is looked into anyway; their slot only has to be one.
with

placed as (
    select
        n.collection_key,
        n.series_key,
        n.label_key,
        k.allocated_size,
        k.row_count,
        k.poll_s as first_poll_s,
        coalesce(k.last_poll_s, k.poll_s) as last_poll_s,
        k.poll_s - k.poll_s % 14400 as block_s,
        k.slots,
        cast(greatest((k.poll_s % 14400) // 300, 0) as integer) as first_slot,
        cast(greatest((coalesce(k.last_poll_s, k.poll_s) % 14400) // 300, 0) as integer) as last_slot,
        coalesce(k.least_phase_s, k.poll_s % 300) as least_phase_s,
        coalesce(k.greatest_phase_s, k.poll_s % 300) as greatest_phase_s,
        k.file_number,
        k.listing
    from folded_samples as k
    inner join staged_key_numbers as n
        on k.endpoint = n.endpoint
        and k.account = n.account
        and k.location = n.location
        and k.snapshot = n.snapshot
        and k.drive = n.drive
        and k.status = n.status
        and k.name = n.name
    where
        k.problem is null
        and not k.is_shared
        and n.collection_key % $part_count = $part
)

select
    collection_key,
    block_s,
    series_key,
    allocated_size,
    label_key,
    cast(sum(row_count) as bigint) as row_count,
    bit_or(coalesce(slots, cast(1 as bigint) << first_slot)) as slots,
    min(first_poll_s) as first_poll_s,
    max(last_poll_s) as last_poll_s,
    min(first_slot) as first_slot,
    max(last_slot) as last_slot,
    min(least_phase_s) as least_phase_s,
    max(greatest_phase_s) as greatest_phase_s,
    min(file_number) as file_number,
    max(file_number) as greatest_file_number,
    max(listing) as listing
from placed
group by collection_key, block_s, series_key, allocated_size, label_key
