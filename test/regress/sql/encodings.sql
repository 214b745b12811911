-- Encodings: what comes in another one, and what is none.
set client_encoding = utf8;
select 'Grüße, €, 😀, 日本';
set client_encoding = latin1;
select 'Gr��e';
set client_encoding = utf8;
set client_encoding = latin1;
select U&'\20AC';
set client_encoding = utf8;
set client_encoding = sql_ascii;
select '��';
set client_encoding = utf8;
select '��';
select '�';
select U&'d\0061t\+000061', E'\u00fc', chr(8364);
select convert_from('\xfc', 'latin1'), convert_to('ü', 'utf8');
select 'a' || chr(0);
create table "Ünï cödé ""quoted""" ("sp ace" int);
\d "Ünï cödé ""quoted"""
