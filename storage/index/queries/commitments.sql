-- add_commitment
-- Takes a Storage Commitment Request; for so many seconds its receiver may report on the association itself.
INSERT INTO commitment (transaction_uid, calling_ae_title, held_until)
VALUES (%(transaction_uid)s, %(calling_ae_title)s, now() + make_interval(secs => %(hold)s))
RETURNING commitment_pk

-- add_commitment_instance
-- Adds an instance of a request.
INSERT INTO commitment_instance (commitment_pk, place, sop_class_uid, sop_instance_uid, failure_reason)
VALUES (%(commitment_pk)s, %(place)s, %(sop_class_uid)s, %(sop_instance_uid)s, %(failure_reason)s)

-- commitments_of_transaction
-- Finds earlier requests of this requestor under the same Transaction UID, with what they ask for.
SELECT commitment_pk, array_agg(sop_instance_uid ORDER BY sop_instance_uid)
FROM commitment JOIN commitment_instance USING (commitment_pk)
WHERE calling_ae_title = %(calling_ae_title)s AND transaction_uid = %(transaction_uid)s
GROUP BY commitment_pk

-- commitment_again
-- Decides and reports a request anew, because its requestor repeats it.
UPDATE commitment SET decided_at = NULL, reported_at = NULL, given_up_at = NULL, requested_at = now(),
    held_until = now() + make_interval(secs => %(hold)s)
WHERE commitment_pk = %(commitment_pk)s

-- undecide
-- Forgets what was found out about the instances of a request.
UPDATE commitment_instance SET failure_reason = NULL WHERE commitment_pk = %(commitment_pk)s

-- commitment_of
-- Finds one request, with its age in seconds.
SELECT calling_ae_title, transaction_uid, extract(epoch FROM now() - requested_at)::float, decided_at IS NOT NULL
FROM commitment WHERE commitment_pk = %(commitment_pk)s

-- undecided_instances
-- Lists the instances of a request that nothing is known of yet, each with what is stored under its UID.
SELECT place, commitment_instance.sop_class_uid, commitment_instance.sop_instance_uid
FROM commitment_instance WHERE commitment_pk = %(commitment_pk)s AND failure_reason IS NULL
ORDER BY place

-- decide_instance
-- Notes what was found out about an instance: 0, or the Failure Reason.
UPDATE commitment_instance SET failure_reason = %(failure_reason)s
WHERE commitment_pk = %(commitment_pk)s AND place = %(place)s

-- decide_commitment
-- Closes a request of which every instance is decided; from then on it waits to be reported.
UPDATE commitment SET decided_at = now()
WHERE commitment_pk = %(commitment_pk)s AND NOT EXISTS (
    SELECT FROM commitment_instance
    WHERE commitment_instance.commitment_pk = commitment.commitment_pk AND failure_reason IS NULL
)
RETURNING calling_ae_title

-- commitment_result
-- Lists the instances of a request that is decided and unreported, each with its Failure Reason.
SELECT transaction_uid, sop_class_uid, sop_instance_uid, failure_reason
FROM commitment JOIN commitment_instance USING (commitment_pk)
WHERE commitment_pk = %(commitment_pk)s AND decided_at IS NOT NULL AND reported_at IS NULL
ORDER BY place

-- commitments_due
-- Lists requests of one requestor that wait to be reported, and for how many seconds their receiver may do it.
SELECT commitment_pk, extract(epoch FROM held_until - now())::float FROM commitment
WHERE calling_ae_title = %(calling_ae_title)s AND decided_at IS NOT NULL
    AND reported_at IS NULL AND given_up_at IS NULL
ORDER BY commitment_pk LIMIT 500

-- commitment_release
-- Ends the receiver's right to report on its own association.
UPDATE commitment SET held_until = now() WHERE commitment_pk = %(commitment_pk)s

-- commitment_reported
-- Notes that the requestor has the result.
UPDATE commitment SET reported_at = now() WHERE commitment_pk = %(commitment_pk)s

-- commitments_given_up
-- Gives up reporting to a requestor that did not answer for too long.
UPDATE commitment SET given_up_at = now()
WHERE calling_ae_title = %(calling_ae_title)s AND decided_at IS NOT NULL AND reported_at IS NULL
    AND decided_at < now() - make_interval(days => %(days)s)

-- commitment_requestors
-- Lists those that wait for a report.
SELECT DISTINCT calling_ae_title FROM commitment
WHERE decided_at IS NOT NULL AND reported_at IS NULL AND given_up_at IS NULL

-- commitments_undecided
-- Lists requests that still have to be decided.
SELECT commitment_pk FROM commitment WHERE decided_at IS NULL AND given_up_at IS NULL

-- read_back_of
-- Tells whether an instance was read back from the pack that it is in.
SELECT FROM read_back WHERE sop_instance_uid = %(sop_instance_uid)s AND pack_key = %(pack_key)s

-- add_read_back
-- Notes that an instance was found whole in the object store.
INSERT INTO read_back (sop_instance_uid, pack_key) VALUES (%(sop_instance_uid)s, %(pack_key)s)
ON CONFLICT (sop_instance_uid) DO UPDATE SET pack_key = EXCLUDED.pack_key, read_at = now()
