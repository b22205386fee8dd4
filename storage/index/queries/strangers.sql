-- note_strangers
-- Counts callers that were turned away; who called before is counted up.
INSERT INTO registry.stranger (calling, called, address, first_seen, last_seen, times)
SELECT calling, called, address::inet, now() - make_interval(secs => age), now(), times
FROM unnest(%(calling)s::text[], %(called)s::text[], %(addresses)s::text[], %(ages)s::float[], %(times)s::bigint[])
    AS noted (calling, called, address, age, times)
ORDER BY calling, called, address
ON CONFLICT (calling, called, address) DO UPDATE SET
    last_seen = excluded.last_seen, times = stranger.times + excluded.times

-- forget_strangers
-- Keeps the latest callers of each address and in all, so that nobody fills the table or drives others out of it.
DELETE FROM registry.stranger WHERE stranger IN (
    SELECT stranger FROM (
        SELECT
            stranger,
            row_number() OVER (PARTITION BY address ORDER BY last_seen DESC, stranger DESC) AS of_address,
            row_number() OVER (ORDER BY last_seen DESC, stranger DESC) AS of_all
        FROM registry.stranger
    ) AS numbered WHERE of_address > %(of_address)s OR of_all > %(of_all)s
)

-- strangers
-- Lists the callers that were turned away, latest first, with the hospital that they called, if it is one.
SELECT stranger, calling, called, host(address), first_seen, last_seen, times, hospital.hospital
FROM registry.stranger LEFT JOIN registry.hospital ON hospital.ae_title = stranger.called
ORDER BY last_seen DESC, stranger DESC

-- admit_stranger
-- Registers a caller in the hospital that it called, unless it is registered already.
INSERT INTO registry.modality (hospital, ae_title, address, rights)
SELECT hospital.hospital, stranger.calling, stranger.address, %(rights)s
FROM registry.stranger JOIN registry.hospital ON hospital.ae_title = stranger.called
WHERE stranger = %(stranger)s AND hospital.hospital = %(hospital)s
ON CONFLICT (hospital, ae_title, address) DO NOTHING

-- drop_stranger
-- Forgets a caller of a hospital that is none any more.
DELETE FROM registry.stranger USING registry.hospital
WHERE stranger = %(stranger)s AND hospital.ae_title = stranger.called AND hospital.hospital = %(hospital)s
RETURNING calling, host(address)
