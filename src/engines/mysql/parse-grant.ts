/** One line of SHOW GRANTS. */
export interface Grant {
  /** In upper case, without the columns that some are limited to. */
  readonly privileges: readonly string[]
  /** As the server writes it: `*.*`, `` `shop`.* ``, `` `shop`.`orders` ``. */
  readonly on: string
  /** False where it is limited to columns, or to a routine. */
  readonly isWholeTable: boolean
}

const LINE =
  /^GRANT (.+?) ON ((?:PROCEDURE |FUNCTION |PACKAGE |PACKAGE BODY )?)(\*\.\*|`(?:[^`]|``)*`\.(?:\*|`(?:[^`]|``)*`)) TO (.*)$/s
const OPTION = / WITH (?:.* )?GRANT OPTION/

/**
 * Reads a line of SHOW GRANTS, which is the same in all of the family.
 * @returns undefined for a role, a proxy, or what is none
 */
export function parseGrant(line: string): Grant | undefined {
  const [, list, routine, on, rest] = LINE.exec(line) ?? []
  if (list === undefined || on === undefined) return undefined
  const privileges = list
    .replaceAll(/\s*\((?:[^()`]|`(?:[^`]|``)*`)*\)/g, '')
    .split(',')
    .map((name) => name.trim().toUpperCase())
    .filter((name) => name !== 'USAGE')
  return {
    privileges: [...privileges, ...(OPTION.test(rest ?? '') ? ['GRANT OPTION'] : [])],
    on,
    isWholeTable: routine === '' && !list.includes('('),
  }
}
