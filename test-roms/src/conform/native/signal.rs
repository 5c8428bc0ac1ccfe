//! Exceptions of the program under test, as Linux hands them over.
//!
//! The handler runs with the program's FS and GS bases, so it must not touch thread-local storage; and with its AC
//! flag, until it has cleared it.
#![allow(unsafe_code)] // signal handlers, and the control block at its fixed address

use super::control::{CONTROL, Control, TRAMPOLINES, Trap};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

const SIGNALS: [i32; 5] = [libc::SIGSEGV, libc::SIGBUS, libc::SIGFPE, libc::SIGILL, libc::SIGTRAP];
/// In place of a vector: the watchdog has ended the run.
pub const ENDLESS: u64 = 0x100;
const STACK_BYTES: usize = 64 << 10;
/// Linux's own selectors for 64-bit user code and its stack.
const HOST_CS: i64 = 0x33;
const HOST_SS: i64 = 0x2B;
/// TF, DF, NT, RF, AC.
const DISTURBING: i64 = 1 << 8 | 1 << 10 | 1 << 14 | 1 << 16 | 1 << 18;

static LEAVE: AtomicU64 = AtomicU64::new(TRAMPOLINES);

/// Takes the signals, on a stack of their own; the handler goes on at `leave`.
///
/// # Errors
/// The system call's.
pub fn install(leave: u64) -> std::io::Result<()> {
    LEAVE.store(leave, Relaxed);
    let stack = Box::leak(vec![0u64; STACK_BYTES / 8].into_boxed_slice());
    let alternative = libc::stack_t { ss_sp: stack.as_mut_ptr().cast(), ss_flags: 0, ss_size: STACK_BYTES };
    // SAFETY: the stack is leaked, so it stays; the action is fully initialised.
    unsafe {
        check(libc::sigaltstack(&raw const alternative, std::ptr::null_mut()))?;
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = handler as *const () as usize;
        action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK | libc::SA_NODEFER;
        for signal in SIGNALS {
            check(libc::sigaction(signal, &raw const action, std::ptr::null_mut()))?;
        }
        action.sa_flags |= libc::SA_RESTART;
        check(libc::sigaction(libc::SIGALRM, &raw const action, std::ptr::null_mut()))?;
    }
    watch()
}

/// A tick for each second of this thread's CPU time, so that a busy host does not look like an endless program.
fn watch() -> std::io::Result<()> {
    let second = libc::timespec { tv_sec: 1, tv_nsec: 0 };
    let every = libc::itimerspec { it_interval: second, it_value: second };
    // SAFETY: all structures are initialised and outlive the calls; the timer stays for the life of the process.
    unsafe {
        let mut event: libc::sigevent = std::mem::zeroed();
        event.sigev_notify = libc::SIGEV_THREAD_ID;
        event.sigev_signo = libc::SIGALRM;
        event.sigev_notify_thread_id = libc::gettid();
        let mut timer: libc::timer_t = std::mem::zeroed();
        check(libc::timer_create(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut event, &raw mut timer))?;
        check(libc::timer_settime(timer, 0, &raw const every, std::ptr::null_mut()))
    }
}

fn check(result: i32) -> std::io::Result<()> {
    if result == 0 { Ok(()) } else { Err(std::io::Error::last_os_error()) }
}

extern "C" fn handler(signal: i32, _: *mut libc::siginfo_t, context: *mut libc::c_void) {
    // SAFETY: changes AC only, on an aligned stack; no access that may be misaligned comes before.
    unsafe { std::arch::asm!("pushfq", "and dword ptr [rsp], 0xFFFBFFFF", "popfq") };
    let control = CONTROL as *mut Control;
    // SAFETY: the kernel passes a valid context; the control block is mapped before signals are taken.
    unsafe {
        let registers = &mut (*context.cast::<libc::ucontext_t>()).uc_mcontext.gregs;
        let watchdog = signal == libc::SIGALRM;
        if watchdog && ((*control).running == 0 || (*control).ticked != (*control).run) {
            (*control).ticked = (*control).run;
            return;
        }
        if (*control).running == 0 {
            // Ours, a defect: die of it when the instruction runs again.
            libc::signal(signal, libc::SIG_DFL);
            return;
        }
        let get = |n: i32| registers[n as usize];
        let segments = get(libc::REG_CSGSFS);
        (*control).trap = Trap {
            vector: if watchdog { ENDLESS } else { get(libc::REG_TRAPNO) as u64 },
            error: get(libc::REG_ERR) as u64,
            rip: get(libc::REG_RIP) as u64,
            rflags: get(libc::REG_EFL) as u64,
            cr2: get(libc::REG_CR2) as u64,
            cs: segments as u16,
            ss: (segments >> 48) as u16,
        };
        (*control).running = 0;
        registers[libc::REG_CSGSFS as usize] = segments & 0x0000_FFFF_FFFF_0000 | HOST_CS | HOST_SS << 48;
        registers[libc::REG_EFL as usize] &= !DISTURBING;
        registers[libc::REG_RIP as usize] = LEAVE.load(Relaxed) as i64;
    }
}
