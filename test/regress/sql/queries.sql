-- Queries of every shape, empty, wide and long.
select;
select from generate_series(1, 3);
table pg_catalog.pg_language limit 0;
with recursive f (a, b) as (values (0, 1) union all select b, a + b from f where b < 100) select a from f;
select n, sum(n) over w, lag(n) over w, rank() over (order by n % 3) from generate_series(1, 9) n window w as (order by n rows 2 preceding) order by n;
select n % 2 as a, n % 3 as b, count(*) from generate_series(1, 12) n group by rollup (1, 2) order by 1, 2;
select x.n, y.m from generate_series(1, 3) x (n) cross join lateral (select x.n * m as m from generate_series(1, 2) m) y;
select * from json_table('[{"a": 1}, {"a": 2}]', '$[*]' columns (a int path '$.a'));
select string_agg(format('%s as c%s', n, n), ', ' order by n) as columns from generate_series(1, 1600) n \gset
select md5(:'columns');
\pset format unaligned
select :columns;
select n, md5(n::text) from generate_series(1, 20000) n;
select repeat(chr(97 + n), 1000000) from generate_series(0, 4) n;
\pset format aligned
\x on
select 1 as a, E'two\nlines' as b;
\x off
explain (costs off) select * from pg_class c join pg_namespace n on n.oid = c.relnamespace where c.relname = 'x';
create table merged (id int primary key, n int);
merge into merged m using (values (1, 10), (2, 20)) v (id, n) on m.id = v.id when not matched then insert values (v.id, v.n) when matched then update set n = v.n returning merge_action(), m.*;
insert into merged values (1, 5) on conflict (id) do update set n = excluded.n + merged.n returning *;
update merged set n = n + 1 returning old.n, new.n;
delete from merged returning id;
truncate merged;
select * from merged;
values (1, 'a'), (2, 'b');
