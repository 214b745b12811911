-- Large objects, by SQL and by the function call messages that psql uses for them.
select lo_create(4711);
begin;
select lo_open(4711, 131072 | 262144) as descriptor \gset
select lowrite(:descriptor, 'hello large object');
select lo_lseek64(:descriptor, 6, 0);
select loread(:descriptor, 5);
select lo_truncate(:descriptor, 5);
select lo_close(:descriptor);
commit;
select lo_get(4711);
select lo_put(4711, 5, decode(repeat('00ff', 200000), 'hex'));
select length(lo_get(4711)), md5(lo_get(4711));
\lo_export 4711 'object.data'
\lo_import 'object.data'
select count(*), sum(octet_length(lo_get(oid))) from pg_largeobject_metadata;
\lo_unlink 4711
\lo_unlink 4711
select lo_get(4711);
select loread(0, 1);
