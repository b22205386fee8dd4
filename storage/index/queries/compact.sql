-- due_packs
-- Lists packs with data sets whose time after deletion is over.
SELECT DISTINCT pack.pack_key
FROM deleted JOIN deletion USING (deletion_pk) JOIN pack USING (pack_pk)
WHERE deletion.at < %(deleted_before)s
ORDER BY pack.pack_key

-- scattered_series
-- Lists series that lie in several small packs, and those packs; to a series in which something just arrived comes more.
SELECT array_agg(DISTINCT pack.pack_key ORDER BY pack.pack_key)
FROM instance JOIN pack USING (pack_pk)
WHERE pack.size < %(small)s
GROUP BY instance.series_pk
HAVING count(DISTINCT pack.pack_pk) > 1 AND max(instance.received_at) < %(quiet_before)s

-- lock_packs
-- Locks packs by key.
SELECT pack_pk FROM pack WHERE pack_key = ANY(%(keys)s) ORDER BY pack_pk FOR UPDATE

-- contents_of_packs
-- Lists what rows say that packs hold: instances, conflicts and deleted ones, these with the time of their deletion.
SELECT pack_key, size, sop_instance_uid, digest, received_at, 0
FROM instance JOIN pack USING (pack_pk) WHERE pack_key = ANY(%(keys)s)
UNION ALL
SELECT pack_key, size, sop_instance_uid, digest, received_at, 0
FROM conflict JOIN pack USING (pack_pk) WHERE pack_key = ANY(%(keys)s)
UNION ALL
SELECT pack_key, size, sop_instance_uid, digest, received_at, at
FROM deleted JOIN deletion USING (deletion_pk) JOIN pack USING (pack_pk) WHERE pack_key = ANY(%(keys)s)

-- relocate_instance
-- Says that an instance lies elsewhere now.
UPDATE instance SET
    pack_pk = %(pack_pk)s, member_offset = %(member_offset)s, member_length = %(member_length)s,
    deflated = %(deflated)s, envelope_offset = %(envelope_offset)s, envelope_length = %(envelope_length)s,
    place_in_pack = %(place_in_pack)s
WHERE sop_instance_uid = %(sop_instance_uid)s AND digest = %(digest)s AND received_at = %(received_at)s

-- relocate_conflict
-- Says the same of a conflict.
UPDATE conflict SET
    pack_pk = %(pack_pk)s, member_offset = %(member_offset)s, member_length = %(member_length)s,
    deflated = %(deflated)s, envelope_offset = %(envelope_offset)s, envelope_length = %(envelope_length)s
WHERE sop_instance_uid = %(sop_instance_uid)s AND digest = %(digest)s AND received_at = %(received_at)s

-- relocate_deleted
-- Says the same of one that was deleted and may still come back.
UPDATE deleted SET pack_pk = %(pack_pk)s
WHERE sop_instance_uid = %(sop_instance_uid)s AND digest = %(digest)s AND received_at = %(received_at)s

-- drop_deleted
-- Forgets what in these packs was deleted before a time: its bytes go with the packs.
DELETE FROM deleted USING deletion, pack
WHERE deleted.deletion_pk = deletion.deletion_pk AND deleted.pack_pk = pack.pack_pk
    AND pack.pack_key = ANY(%(keys)s) AND deletion.at < %(deleted_before)s

-- retire_packs
-- Takes packs out of the index that hold nothing any more; a sweep removes them when no reader can still hold a place.
WITH gone AS (DELETE FROM pack WHERE pack_key = ANY(%(keys)s) RETURNING pack_key)
INSERT INTO retired_pack (pack_key) SELECT pack_key FROM gone
ON CONFLICT (pack_key) DO UPDATE SET retired_at = now()

-- retired_lately
-- Tells whether a pack was replaced so lately that a reader may still hold places in it.
SELECT FROM retired_pack
WHERE pack_key = %(pack_key)s AND retired_at > now() - make_interval(secs => %(min_age)s)

-- forget_retired
-- Forgets a replaced pack that is gone now.
DELETE FROM retired_pack WHERE pack_key = %(pack_key)s
