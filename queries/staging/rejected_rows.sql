-- name   rejected_rows
-- grain  one row a raw row that cannot be a sample
-- reads  checked_samples
-- params none
-- why    The rows to reject for what they are themselves; their polls are rejected with them.
select
    file_number,
    row_number,
    endpoint,
    account,
    poll_s,
    is_poll_known,
    problem,
    problem_value
from checked_samples
where problem is not null
