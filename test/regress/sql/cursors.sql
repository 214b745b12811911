-- Cursors, and results fetched in parts.
begin;
declare c scroll cursor for select n, n * n as square from generate_series(1, 20) n;
fetch 3 from c;
fetch backward 2 from c;
fetch absolute 10 from c;
fetch relative -3 from c;
move forward all in c;
fetch last from c;
fetch next from c;
close c;
fetch from c;
rollback;
begin;
declare held cursor with hold for select n from generate_series(1, 5) n;
commit;
fetch all from held;
select name, is_holdable, is_scrollable from pg_cursors;
close held;
\set FETCH_COUNT 7
select n from generate_series(1, 30) n;
select 10 / (15 - n) from generate_series(1, 30) n;
\unset FETCH_COUNT
create table stock (id int, amount int);
insert into stock select n, n * 10 from generate_series(1, 5) n;
begin;
declare u cursor for select * from stock for update;
fetch 2 from u;
update stock set amount = 0 where current of u;
delete from stock where current of u;
commit;
select * from stock order by id;
create function open_two(refcursor, refcursor) returns setof refcursor language plpgsql as $$
begin open $1 for select 1 as one; return next $1; open $2 for select 2 as two; return next $2; end $$;
begin;
select * from open_two('a', 'b');
fetch all in a;
fetch all in b;
commit;
