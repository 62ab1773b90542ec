-- name   placed_folds
-- grain  one row a fold, or a row that is not folded, with its block of four hours and the keys of what it says
-- reads  folded_samples, staged_key_numbers
-- params none
-- why    What is rejected or somebody else's is not among them. A block with polls before 1970 is looked into anyway; their slot
--        only has to be one.
select
    n.collection_key,
    k.poll_s - k.poll_s % 14400 as block_s,
    n.series_key,
    k.allocated_size,
    n.label_key,
    k.row_count,
    coalesce(k.slots, cast(1 as bigint) << cast(greatest((k.poll_s % 14400) // 300, 0) as integer)) as slots,
    k.poll_s as first_poll_s,
    coalesce(k.last_poll_s, k.poll_s) as last_poll_s,
    cast(greatest((k.poll_s % 14400) // 300, 0) as integer) as first_slot,
    cast(greatest((coalesce(k.last_poll_s, k.poll_s) % 14400) // 300, 0) as integer) as last_slot,
    coalesce(k.least_phase_s, k.poll_s % 300) as least_phase_s,
    coalesce(k.greatest_phase_s, k.poll_s % 300) as greatest_phase_s,
    k.file_number,
    k.file_number as greatest_file_number,
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
