-- name   exported_days
-- grain  one row a UTC day of exported polls
-- reads  exported_polls, polls
-- params none
-- why    Samples are exported a day at a time: a file a day, and no more in memory than one of them.
select distinct p.poll_s - ((p.poll_s % 86400) + 86400) % 86400 as day_s
from exported_polls as e
inner join polls as p
    on e.poll_key = p.poll_key
order by day_s
