-- Transactions, savepoints, and what is off.
create table t (n int primary key);
begin;
insert into t values (1);
savepoint a;
insert into t values (2);
savepoint b;
insert into t values (1);
select 'refused';
rollback to b;
insert into t values (3);
release a;
rollback to a;
rollback;
begin;
insert into t values (4);
savepoint s; insert into t values (5); rollback to s; insert into t values (6); release s;
commit;
select * from t order by n;
begin isolation level serializable read only deferrable;
show transaction_isolation;
insert into t values (7);
rollback and chain;
show transaction_read_only;
commit;
begin;
insert into t values (8);
prepare transaction 'x';
commit prepared 'x';
start transaction;
set transaction isolation level repeatable read;
select count(*) from t;
set transaction isolation level serializable;
rollback;
\set AUTOCOMMIT off
insert into t values (9);
rollback;
\set AUTOCOMMIT on
select * from t order by n;
set idle_in_transaction_session_timeout = '300ms';
begin;
select 1 as before_the_end;
\! sleep 0.6
select 2 as after_the_end;
select 3 as again;
