-- uncommitted_destinations
-- Lists the destinations that are to be asked for Storage Commitment now: never asked, or without a result for long.
SELECT DISTINCT destination FROM delivery JOIN instance USING (sop_instance_uid)
WHERE to_commit AND acknowledged_at IS NOT NULL AND committed_at IS NULL AND failed_at IS NULL
    AND (asked_at IS NULL OR asked_at < now() - make_interval(secs => %(again)s))

-- uncommitted_deliveries
-- Lists what one destination is to be asked for now, oldest first; what was deleted here meanwhile is left alone.
SELECT instance.sop_class_uid, delivery.sop_instance_uid FROM delivery JOIN instance USING (sop_instance_uid)
WHERE destination = %(destination)s AND to_commit
    AND acknowledged_at IS NOT NULL AND committed_at IS NULL AND failed_at IS NULL
    AND (asked_at IS NULL OR asked_at < now() - make_interval(secs => %(again)s))
ORDER BY delivery_pk LIMIT %(limit)s

-- commitment_begins
-- Notes under which Transaction UID instances will be asked for, before that is done: a result may be fast.
UPDATE delivery SET transaction_uid = %(transaction_uid)s
WHERE destination = %(destination)s AND sop_instance_uid = ANY(%(uids)s) AND committed_at IS NULL

-- commitment_asked
-- Notes that the destination has taken the request.
UPDATE delivery SET asked_at = now() WHERE destination = %(destination)s AND transaction_uid = %(transaction_uid)s

-- commitment_awaited
-- Counts instances of a request without a result.
SELECT count(*) FROM delivery
WHERE destination = %(destination)s AND transaction_uid = %(transaction_uid)s AND committed_at IS NULL

-- commitment_known
-- Tells whether a destination was asked under this Transaction UID.
SELECT FROM delivery WHERE destination = %(destination)s AND transaction_uid = %(transaction_uid)s LIMIT 1

-- delivery_committed
-- Notes that the destination keeps these.
UPDATE delivery SET committed_at = now(), reason = ''
WHERE destination = %(destination)s AND transaction_uid = %(transaction_uid)s
    AND sop_instance_uid = ANY(%(uids)s) AND committed_at IS NULL

-- delivery_not_committed
-- Notes that the destination does not keep one, so that it is delivered again; after so many times it is given up.
UPDATE delivery SET acknowledged_at = NULL, transaction_uid = NULL, asked_at = NULL, reason = %(reason)s,
    refusals = refusals + 1, failed_at = CASE WHEN refusals + 1 >= %(patience)s THEN now() END
WHERE destination = %(destination)s AND transaction_uid = %(transaction_uid)s
    AND sop_instance_uid = %(sop_instance_uid)s AND committed_at IS NULL

-- commitments_not_given
-- Gives up what a destination took, but has said nothing of for too long.
UPDATE delivery SET failed_at = now(), reason = 'not committed'
WHERE destination = %(destination)s AND to_commit AND committed_at IS NULL AND failed_at IS NULL
    AND acknowledged_at < now() - make_interval(days => %(days)s)
