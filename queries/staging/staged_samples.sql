-- name   staged_samples
-- grain  one row a collection, poll and series of the batch, in the blocks that need a closer look
-- reads  looked_into_samples
-- params none
-- why    Rows that say the same fall together; where rows of one series and poll differ, least and greatest tell.
select
    collection_key,
    poll_s,
    series_key,
    min(s.allocated_size) as allocated_size,
    max(s.allocated_size) as greatest_size,
    min(s.label_key) as label_key,
    max(s.label_key) as greatest_label_key,
    count(*) as row_count,
    min(s.file_number) as file_number
from looked_into_samples as s
group by collection_key, poll_s, series_key
