-- name   poll_outcomes
-- grain  one row an outcome of polls that were looked into, and two of those that needed no look
-- reads  staged_polls, staged_blocks, repeated_blocks
-- params none
-- why    Counts what became of the batch. Rows that repeat another of an accepted poll are duplicates. Conflicting polls that
--        contradict themselves within the batch are counted apart too: nothing of them can be the first.
select
    outcome,
    count(*) as poll_count,
    sum(row_count) as row_count,
    sum(case when outcome = 'accepted' then distinct_row_count else row_count end) as distinct_row_count,
    sum(case when contradicts then 1 else 0 end) as contradicting_count
from staged_polls
group by outcome
union all
select
    'accepted' as outcome,
    sum(bit_count(slots)) as poll_count,
    sum(row_count) as row_count,
    sum(distinct_row_count) as distinct_row_count,
    0 as contradicting_count
from staged_blocks
where not is_looked_into
having count(*) > 0
union all
select
    'duplicate' as outcome,
    sum(poll_count) as poll_count,
    sum(row_count) as row_count,
    sum(row_count) as distinct_row_count,
    0 as contradicting_count
from repeated_blocks
having count(*) > 0
