-- LISTEN and NOTIFY within one session. The process id in psql's line is that of the database's own process.
listen news;
notify news;
notify news, 'with a payload';
select pg_notify('news', repeat('x', 100));
begin;
notify news, 'held back';
notify news, 'held back';
select 'nothing yet';
commit;
begin; notify news, 'never'; rollback;
select pg_listening_channels();
unlisten news;
notify news, 'unheard';
select pg_notify('', 'x');
select pg_notify('news', repeat('x', 9000));
select count(*) from pg_stat_activity where pid = pg_backend_pid();
