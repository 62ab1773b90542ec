-- name   staged_phases
-- grain  one row a collection and poll of the batch, in blocks whose polls do not all come at the same second of their slot
-- reads  jittering_blocks, checked_samples
-- params none
-- why    Polls that jitter are told by their bits only up to their slot; here they are to the second.
select distinct
    j.collection_key,
    j.block_s,
    k.poll_s
from checked_samples as k
inner join jittering_blocks as j
    on k.endpoint = j.endpoint
    and k.account = j.account
    and k.poll_s - k.poll_s % 14400 = j.block_s
where
    k.problem is null
    and not k.is_shared
