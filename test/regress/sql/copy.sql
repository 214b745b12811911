-- COPY in every direction and format, and its errors.
create table goods (id int primary key, name text, price numeric, note text default 'none');
copy goods from stdin;
1	apple	1.50	\N
2	tab\tinside	2	back\\slash
3	new\nline	3	
\.
copy goods (id, name) from stdin with (format csv, header true, quote '''');
id,name
4,'a, b'
5,'it''s'
\.
copy goods from stdin;
6	six	6	ok
7	seven	not a number	ok
\.
copy goods from stdin;
1	again	1	duplicate
\.
copy goods from stdin;
8	too few
\.
copy goods (id, name) from stdin where id > 100;
99	no
101	yes
\.
copy goods to stdout;
copy (select id, name, price from goods order by id desc limit 3) to stdout with (format csv, header, force_quote *);
copy goods (id) to stdout with (delimiter '|', null 'NULL');
copy missing from stdin;
copy goods to '/tmp/forbidden';
copy goods from program 'true';
\copy (select generate_series(1, 5)) to stdout
\copy goods (id, name) from pstdin
begin;
copy goods (id) from stdin;
200
\.
rollback;
select count(*) from goods;
create table binary_goods (n int, t text);
\copy (select n, repeat('x', n % 50) from generate_series(1, 20000) n) to 'binary.data' (format binary)
\copy binary_goods from 'binary.data' (format binary)
select count(*), sum(n), sum(length(t)) from binary_goods;
truncate binary_goods;
\copy (select n, repeat('x', n % 50) from generate_series(1, 20000) n) to 'text.data'
\copy binary_goods from 'text.data'
select count(*), sum(n), sum(length(t)) from binary_goods;
\copy binary_goods from 'binary.data'
