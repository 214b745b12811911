import { expect, it } from 'vitest'
import { identifyServer } from './flavor.ts'
import { parseGrant } from './parse-grant.ts'

it.each([
  ['GRANT USAGE ON *.* TO `a`@`%`', { privileges: [], on: '*.*', isWholeTable: true }],
  [
    'GRANT SELECT, CREATE TEMPORARY TABLES ON `my``db`.* TO `a`@`%` IDENTIFIED BY PASSWORD "*00" WITH GRANT OPTION',
    { privileges: ['SELECT', 'CREATE TEMPORARY TABLES', 'GRANT OPTION'], on: '`my``db`.*', isWholeTable: true },
  ],
  [
    'GRANT SELECT (`a, b`, `c`), INSERT ON `d`.`t` TO `a`@`%`',
    { privileges: ['SELECT', 'INSERT'], on: '`d`.`t`', isWholeTable: false },
  ],
  ['GRANT EXECUTE ON PROCEDURE `d`.`p` TO `a`@`%`', { privileges: ['EXECUTE'], on: '`d`.`p`', isWholeTable: false }],
  [
    'GRANT BINLOG_ADMIN,SET_USER_ID ON *.* TO `a`@`%`',
    { privileges: ['BINLOG_ADMIN', 'SET_USER_ID'], on: '*.*', isWholeTable: true },
  ],
  ['GRANT `role`@`%` TO `a`@`%`', undefined],
  ["GRANT PROXY ON ''@'%' TO 'root'@'localhost' WITH GRANT OPTION", undefined],
])('a line of SHOW GRANTS is read: %s', (line, grant) => {
  expect(parseGrant(line)).toEqual(grant)
})

it.each([
  ['8.0.36', 'mysql', '8.0.36'],
  ['10.11.6-MariaDB-0+deb12u1', 'mariadb', '10.11.6-MariaDB-0+deb12u1'],
  ['5.5.5-10.4.8-MariaDB', 'mariadb', '10.4.8-MariaDB'],
  ['8.0.11-TiDB-v7.5.0', 'tidb', '7.5.0'],
  ['5.7.25-TiDB-v6.1.0-serverless', 'tidb', '6.1.0-serverless'],
])('the server is known by its version: %s', (text, flavor, version) => {
  expect(identifyServer(text)).toEqual({ flavor, version })
})
