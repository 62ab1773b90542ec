-- name   new_poll_answers
-- grain  one row an accepted poll of the batch whose captures tell the provider's own clock
-- reads  checked_samples, taken_polls
-- params none
-- why    When the provider says it answered, to hold our clock against; the first where a poll was captured more than once.
select
    p.poll_key,
    min(k.answered_s) as answered_s
from checked_samples as k
inner join taken_polls as p
    on k.endpoint = p.endpoint
    and k.account = p.account
    and k.poll_s = p.poll_s
where k.answered_s is not null
group by p.poll_key
