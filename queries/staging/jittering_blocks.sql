-- name   jittering_blocks
-- grain  one row an endpoint and account, and a block whose polls do not all come at the same second of their slot
-- reads  staged_runs, staged_key_numbers
-- params none
-- why    Where bits tell a poll only up to its slot. Made first, so that no plan compares every row with every collection's blocks.
with

jittering as (
    select
        collection_key,
        block_s
    from staged_runs
    group by collection_key, block_s
    having min(least_phase_s) <> max(greatest_phase_s)
)

select distinct
    n.endpoint,
    n.account,
    j.collection_key,
    j.block_s
from jittering as j
inner join staged_key_numbers as n
    on j.collection_key = n.collection_key
