-- drop_rows
-- Empties a hospital's tables at once; workers wait meanwhile and go on with empty ones.
TRUNCATE {schema}.patient, {schema}.study, {schema}.series, {schema}.pack, {schema}.instance, {schema}.conflict,
    {schema}.deletion, {schema}.deleted, {schema}.retired_pack
