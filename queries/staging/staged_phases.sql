-- name   staged_phases
-- grain  one row a collection and poll of the batch, in blocks whose polls do not all come at the same second of their slot
-- reads  staged_runs, staged_key_numbers, checked_samples
-- params none
-- why    Polls that jitter are told by their bits only up to their slot; here they are to the second.
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
    j.collection_key,
    j.block_s,
    k.poll_s
from checked_samples as k
inner join (select distinct endpoint, account, collection_key from staged_key_numbers) as n
    on k.endpoint = n.endpoint
    and k.account = n.account
inner join jittering as j
    on n.collection_key = j.collection_key
    and k.poll_s - k.poll_s % 14400 = j.block_s
where
    k.problem is null
    and not k.is_shared
