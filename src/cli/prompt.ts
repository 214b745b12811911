import { Secret } from '../base/secret.ts'
import { CliError } from './cli-error.ts'
import type { Terminal } from './terminal.ts'

const interrupt = '\u0003'
const endOfInput = '\u0004'
const eraseLine = '\u0015'
const backspaces = new Set(['\u007f', '\b'])

/**
 * Asks for a secret without showing it.
 * @param instead what to give when nobody can be asked, for the message
 * @throws CliError caller when there is no terminal or nothing was entered, interrupted on Ctrl-C
 */
export async function promptSecret(terminal: Terminal, question: string, instead: string): Promise<Secret> {
  const answer = await ask(terminal, question, instead, false)
  if (answer === '') throw new CliError('caller', 'no password was entered', { hint: 'Enter it again.' })
  return new Secret(answer)
}

/**
 * Asks for a yes before something is destroyed or trusted; everything but `y` and `yes` is a no.
 * @param instead what to give when nobody can be asked, for the message
 * @throws CliError caller when nobody can be asked, interrupted when the answer is no
 */
export async function confirm(
  terminal: Terminal,
  question: string,
  instead = 'Add --yes to go ahead without a question.',
): Promise<void> {
  const answer = await ask(terminal, `${question} [y/N] `, instead, true)
  if (!/^y(es)?$/i.test(answer.trim()))
    throw new CliError('interrupted', 'nothing was done', { hint: 'Answer y to go ahead.' })
}

/** Reads one line key by key, in raw mode: then the terminal shows nothing by itself and Ctrl-C reaches us as a character. */
async function ask(terminal: Terminal, question: string, instead: string, visible: boolean): Promise<string> {
  if (!terminal.isInteractive) throw new CliError('caller', 'there is no terminal to ask on', { hint: instead })
  terminal.write(question)
  terminal.setEcho(false)
  const { stdin } = terminal
  stdin.setEncoding('utf8')
  try {
    return await new Promise<string>((resolve, reject) => {
      let line = ''
      const settle = (finish: () => void) => {
        stdin.off('data', onData)
        stdin.off('end', onEnd)
        finish()
      }
      const onEnd = () => settle(() => reject(new CliError('interrupted', 'the input ended before an answer')))
      const onData = (chunk: string | Buffer) => {
        for (const key of String(chunk)) {
          if (key === '\r' || key === '\n') return settle(() => resolve(line))
          if (key === interrupt) return settle(() => reject(new CliError('interrupted', 'interrupted')))
          if (key === endOfInput) return onEnd()
          if (backspaces.has(key)) {
            if (visible && line !== '') terminal.write('\b \b')
            line = [...line].slice(0, -1).join('')
          } else if (key === eraseLine) {
            if (visible) terminal.write('\b \b'.repeat([...line].length))
            line = ''
          } else if (key >= ' ') {
            line += key
            if (visible) terminal.write(key)
          }
        }
      }
      stdin.on('data', onData)
      stdin.on('end', onEnd)
      stdin.resume()
    })
  } finally {
    stdin.pause()
    terminal.setEcho(true)
    terminal.write('\n')
  }
}
