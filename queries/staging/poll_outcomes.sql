-- name   poll_outcomes
-- grain  one row an outcome
-- reads  staged_polls
-- params none
-- why    Counts what became of the batch. Rows that repeat another of an accepted poll are duplicates.
select
    outcome,
    count(*) as poll_count,
    sum(row_count) as row_count,
    sum(case when outcome = 'accepted' then distinct_row_count else row_count end) as distinct_row_count
from staged_polls
group by outcome
