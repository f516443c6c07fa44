"""jupyter_kernel_test on the installed kernel KERNEL_NAME; run by tests/kernel/conformance.test.ts."""

import os
import unittest

import jupyter_kernel_test


class ThalwegKernelTests(jupyter_kernel_test.KernelTests):
    kernel_name = os.environ["KERNEL_NAME"]
    language_name = "typescript"
    file_extension = ".ts"
    code_hello_world = "console.log('hello, world')"
    code_stderr = "console.error('test')"
    completion_samples = [
        {"text": "JSON.pars", "matches": {"parse"}},
        {"text": "[1].toStri", "matches": {"toString"}},
    ]
    complete_code_samples = ["1", "console.log('hello, world')", "function f(x: number) { return x*2 }"]
    incomplete_code_samples = ["`hello", "function f(x: number) {", "foo("]
    invalid_code_samples = ["import = 7q", "let x = )"]
    code_page_something = "Math?"
    code_generate_error = "throw new Error('x')"
    code_execute_result = [
        {"code": "1+2+3", "result": "6"},
        {"code": "[1,2,3].map(n => n*n)", "result": "[ 1, 4, 9 ]"},
    ]
    code_display_data = [
        {"code": "display.html('<b>test</b>')", "mime": "text/html"},
        {"code": "display.latex('x')", "mime": "text/latex"},
    ]
    code_history_pattern = "1?2*"
    supported_history_operations = ("tail", "range", "search")
    code_inspect_sample = "parseInt"
    code_clear_output = "display.clear()"


if __name__ == "__main__":
    unittest.main(verbosity=2)
