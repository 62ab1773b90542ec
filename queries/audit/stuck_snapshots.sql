-- name   stuck_snapshots
-- grain  one row a snapshot and time in which it was in the making for too long
-- reads  audited_runs
-- params start_s, stop_s, stuck_seconds
-- why    A snapshot is created, transferred, available; one that stays on the way is billed, but may never be restored.
with

numbered as (
    select
        *,
        sum(case when status in ('creating', 'transferring') then 0 else 1 end) over (
            partition by series_key
            order by first_poll_s, last_poll_s
            rows unbounded preceding
        ) as settled_count
    from audited_runs
)

select
    account,
    location,
    snapshot,
    max(status) as status,
    min(first_poll_s) as first_poll_s,
    max(last_poll_s) as last_poll_s,
    max(last_poll_s) - min(first_poll_s) as finding_seconds
from numbered
where status in ('creating', 'transferring')
group by account, location, snapshot, series_key, settled_count
having max(last_poll_s) - min(first_poll_s) > $stuck_seconds
    and min(first_poll_s) < $stop_s
    and max(last_poll_s) >= $start_s
order by account, location, snapshot, first_poll_s
