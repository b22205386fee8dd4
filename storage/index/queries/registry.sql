-- lock_migrations
-- Waits until no other process migrates this database, and keeps others waiting until the session ends.
SELECT pg_advisory_lock(hashtext('pacs migrations'))

-- hospital_schemas
-- Lists the schema and role of every hospital.
SELECT schema_name, role_name FROM registry.hospital ORDER BY hospital

-- add_hospital
-- Enters a hospital.
INSERT INTO registry.hospital (hospital, schema_name, role_name, ae_title, title)
VALUES (%(hospital)s, %(schema_name)s, %(role_name)s, %(ae_title)s, %(title)s)

-- role_exists
-- Tells whether the cluster has this role.
SELECT FROM pg_roles WHERE rolname = %(role)s

-- hospitals
-- Lists every hospital.
SELECT hospital, ae_title, title FROM registry.hospital ORDER BY hospital

-- hospital_role
-- Finds the schema and role behind a hospital's name.
SELECT schema_name, role_name FROM registry.hospital WHERE hospital = %(hospital)s

-- modalities
-- Lists every modality that a hospital knows; an address without a mask is one host's.
SELECT hospital, ae_title, abbrev(address), port, tls, rights, transfer_syntaxes, character_set, note
FROM registry.modality ORDER BY hospital, ae_title, address

-- put_modality
-- Registers a modality, or changes what is registered of this AE title at this address.
INSERT INTO registry.modality
    (hospital, ae_title, address, port, tls, rights, transfer_syntaxes, character_set, note)
VALUES (
    %(hospital)s, %(ae_title)s, %(address)s, %(port)s, %(tls)s, %(rights)s, %(transfer_syntaxes)s, %(character_set)s,
    %(note)s
)
ON CONFLICT (hospital, ae_title, address) DO UPDATE SET
    port = excluded.port, tls = excluded.tls, rights = excluded.rights,
    transfer_syntaxes = excluded.transfer_syntaxes, character_set = excluded.character_set, note = excluded.note

-- drop_modality
-- Forgets a modality at one address, or at all.
DELETE FROM registry.modality
WHERE hospital = %(hospital)s AND ae_title = %(ae_title)s
    AND (%(address)s::inet IS NULL OR address = %(address)s::inet)
