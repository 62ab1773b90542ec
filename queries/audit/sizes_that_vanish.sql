-- name   sizes_that_vanish
-- grain  one row a snapshot and poll at which its size fell to 0, and rose again within the period
-- reads  size_changes
-- params none
-- why    What a snapshot keeps does not go away and come back: such a listing was wrong, and bills too little.
with

followed as (
    select
        account,
        location,
        snapshot,
        poll_s,
        allocated_size,
        allocated_size_before,
        lead(allocated_size) over (partition by series_key order by poll_s) as allocated_size_after,
        lead(poll_s) over (partition by series_key order by poll_s) as after_s
    from size_changes
)

select
    account,
    location,
    snapshot,
    poll_s,
    after_s,
    allocated_size_before as before_bytes,
    allocated_size_after as after_bytes
from followed
where
    allocated_size = 0
    and allocated_size_before > 0
    and allocated_size_after > 0
order by account, location, snapshot, poll_s
