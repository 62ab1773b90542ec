-- name   new_labels
-- grain  one row a drive, status and name that the store does not know yet
-- reads  staged_keys, labels
-- params none
-- why    What a sample says beside its size changes rarely; samples refer to it by number.
select
    (select coalesce(max(label_key), 0) from labels)
    + row_number() over (order by k.drive, k.status, k.name) as label_key,
    k.drive,
    k.status,
    k.name
from (select distinct drive, status, name from staged_keys) as k
left join labels as l
    on k.drive = l.drive
    and k.status = l.status
    and k.name = l.name
where l.label_key is null
