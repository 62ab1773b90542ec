-- name   rejected_companions
-- grain  one row a raw row that could be a sample, but whose poll is rejected for another row
-- reads  checked_samples, rejected_rows
-- params none
-- why    A poll is accepted whole or not at all; each row that goes with it is named too.
select
    k.file_number,
    k.row_number,
    k.endpoint,
    k.account,
    k.poll_s,
    true as is_poll_known,
    'poll.rejected' as problem,
    k.snapshot as problem_value
from checked_samples as k
inner join (select distinct endpoint, account, poll_s from rejected_rows where is_poll_known) as r
    on k.endpoint = r.endpoint
    and k.account = r.account
    and k.poll_s = r.poll_s
where
    k.problem is null
    and not k.is_shared
