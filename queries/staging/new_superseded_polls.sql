-- name   new_superseded_polls
-- grain  one row a stored poll that an accepted poll of the batch replaces on purpose
-- reads  staged_polls
-- params ingest_seq
-- why    Facts are append-only: the old version stays, and stays in force for whoever asks what was known before.
select
    known_poll_key as poll_key,
    $ingest_seq as ingest_seq
from staged_polls
where
    outcome = 'accepted'
    and known_poll_key is not null
