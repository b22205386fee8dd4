-- errand_wait
-- Tells for how many seconds a destination that failed is left alone.
SELECT extract(epoch FROM retry_at - now())::float FROM errand
WHERE kind = %(kind)s AND destination = %(destination)s AND retry_at > now()

-- errand_failed
-- Counts a failure in a row; gives how many there are.
INSERT INTO errand (kind, destination, failures, retry_at) VALUES (%(kind)s, %(destination)s, 1, now())
ON CONFLICT (kind, destination) DO UPDATE SET failures = errand.failures + 1
RETURNING failures

-- errand_retry
-- Leaves a destination alone for a while.
UPDATE errand SET retry_at = now() + make_interval(secs => %(delay)s)
WHERE kind = %(kind)s AND destination = %(destination)s

-- errand_done
-- Forgets that a destination ever failed.
DELETE FROM errand WHERE kind = %(kind)s AND destination = %(destination)s

-- forward_rules
-- Lists the rules by which instances and notifications go on their way by themselves.
SELECT rule_pk, destination, sends, modality, calling_ae_title, body_part_examined, from_hour, until_hour, to_commit
FROM forward_rule ORDER BY destination, rule_pk

-- add_forward_rule
-- Adds a rule; the same rule twice is one, with the commitment asked for last.
INSERT INTO forward_rule (
    destination, sends, modality, calling_ae_title, body_part_examined, from_hour, until_hour, to_commit
) VALUES (
    %(destination)s, %(sends)s, %(modality)s, %(calling_ae_title)s, %(body_part_examined)s, %(from_hour)s,
    %(until_hour)s, %(to_commit)s
)
ON CONFLICT (destination, sends, modality, calling_ae_title, body_part_examined, from_hour, until_hour)
    DO UPDATE SET to_commit = EXCLUDED.to_commit
RETURNING rule_pk

-- drop_forward_rule
-- Takes a rule away; what it queued already stays queued.
DELETE FROM forward_rule WHERE rule_pk = %(rule_pk)s

-- queue_delivery
-- Puts an instance on its way to a destination, once; to be committed when any rule to that destination says so.
INSERT INTO delivery (destination, sop_instance_uid, to_commit)
SELECT %(destination)s, %(sop_instance_uid)s, EXISTS (
    SELECT FROM forward_rule WHERE forward_rule.destination = %(destination)s AND forward_rule.to_commit
)
ON CONFLICT (destination, sop_instance_uid) DO NOTHING

-- due_deliveries
-- Lists what waits for a destination: first what was refused least often, then what is oldest.
SELECT sop_instance_uid FROM delivery
WHERE destination = %(destination)s AND acknowledged_at IS NULL AND failed_at IS NULL
ORDER BY refusals, delivery_pk LIMIT %(limit)s

-- delivery_acknowledged
-- Notes that the destination has it.
UPDATE delivery SET acknowledged_at = now(), reason = ''
WHERE destination = %(destination)s AND sop_instance_uid = %(sop_instance_uid)s

-- delivery_refused
-- Notes why the destination did not take it; after so many times it is not offered again.
UPDATE delivery SET reason = %(reason)s, refusals = refusals + 1,
    failed_at = CASE WHEN refusals + 1 >= %(patience)s THEN now() END
WHERE destination = %(destination)s AND sop_instance_uid = %(sop_instance_uid)s

-- deliveries_given_up
-- Gives up what has waited for too long for a destination that does not answer.
UPDATE delivery SET failed_at = now(), reason = 'the destination did not answer'
WHERE destination = %(destination)s AND acknowledged_at IS NULL AND failed_at IS NULL
    AND queued_at < now() - make_interval(days => %(days)s)

-- delivery_counts
-- Counts deliveries for each destination: waiting, acknowledged, failed, committed.
SELECT destination, count(*) FILTER (WHERE acknowledged_at IS NULL AND failed_at IS NULL),
    count(*) FILTER (WHERE acknowledged_at IS NOT NULL), count(*) FILTER (WHERE failed_at IS NOT NULL),
    count(committed_at)
FROM delivery GROUP BY destination ORDER BY destination

-- delivery_destinations
-- Lists the destinations for which something waits.
SELECT DISTINCT destination FROM delivery WHERE acknowledged_at IS NULL AND failed_at IS NULL

-- queue_availability
-- Puts a notification of a study on its way, later each time that something of the study arrives.
INSERT INTO availability (destination, study_instance_uid, due_at)
VALUES (%(destination)s, %(study_instance_uid)s, now() + make_interval(secs => %(quiet)s))
ON CONFLICT (destination, study_instance_uid) DO UPDATE SET due_at = EXCLUDED.due_at

-- due_availability
-- Lists the studies that a destination is to be told of, and in how many seconds.
SELECT study_instance_uid, extract(epoch FROM due_at - now())::float FROM availability
WHERE destination = %(destination)s ORDER BY due_at LIMIT 500

-- availability_told
-- Forgets a notification that arrived, unless more of its study came meanwhile.
DELETE FROM availability
WHERE destination = %(destination)s AND study_instance_uid = %(study_instance_uid)s AND due_at <= now()

-- availability_given_up
-- Forgets notifications that nobody took for too long.
DELETE FROM availability
WHERE destination = %(destination)s AND queued_at < now() - make_interval(days => %(days)s)

-- availability_destinations
-- Lists the destinations that wait to be told of a study.
SELECT DISTINCT destination FROM availability
