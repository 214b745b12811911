-- Settings, those that the server reports by itself among them, and what a session is told of itself.
show server_version;
show server_encoding;
show client_encoding;
show application_name;
show session_authorization;
show is_superuser;
select current_user = session_user, current_database(), current_schemas(false);
set application_name = 'regress ü';
show application_name;
set timezone = 'Asia/Tokyo';
select timestamptz '2024-01-01 00:00:00+00';
set datestyle = 'German';
select date '2024-12-31';
set intervalstyle = 'iso_8601';
select interval '1 day 2 hours';
set standard_conforming_strings = off;
select 'a\'b';
set standard_conforming_strings = on;
set client_encoding = latin1;
select length('ü');
set client_encoding = utf8;
set search_path = nowhere, public;
select current_schema();
begin; set local work_mem = '3MB'; show work_mem; rollback; show work_mem;
select set_config('own.setting', 'value', false), current_setting('own.setting');
set no_such_setting = 1;
set work_mem = 'x';
set max_connections = 5;
set role postgres;
set session authorization postgres;
\encoding
\conninfo invalid
reset all;
show timezone;
discard all;
alter system set work_mem = '1MB';
select pg_terminate_backend(pg_backend_pid());
select 'a new session';
