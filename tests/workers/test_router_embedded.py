"""The router that needs no model server."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from shared.domain.conversation import Message
from shared.domain.decisions import Trace
from shared.domain.routes import Route
from workers.router import build
from workers.router.embedded import EmbeddedRouter

TRACE = Trace("req-1", "00-0123456789abcdef0123456789abcdef-0123456789abcdef-01")


def described(**routes: str) -> tuple[Route, ...]:
    return tuple(Route(name, description, ("openai/a",)) for name, description in routes.items())


OFFICE = described(
    code_generation="writing new functions, scripts, programs and tests",
    deep_reasoning="multi-step reasoning, complex analysis, mathematics and proofs",
    translation="translating text from one language into another",
    customer_support="questions about orders, refunds, deliveries and invoices",
)
STUDIO = described(
    deep_reasoning="multi-step reasoning, complex analysis, code review",
    quick_answer="short factual questions and small talk",
    image_generation="drawing pictures, making images, illustrations and logos",
    summarization="summarize long documents, articles or meeting notes",
)
DESK = described(
    code_understanding="understand and explain existing code snippets, functions, or libraries",
    code_generation="generating new code snippets, functions, or boilerplate based on user prompts",
    legal="contracts, law, terms of service and legal risk",
    travel="flights, hotels, trips and sightseeing",
)

FITTING = [
    (OFFICE, "code_generation", "Write a Python function that reverses a linked list"),
    (OFFICE, "code_generation", "I need a bash script which renames all files in a folder"),
    (OFFICE, "code_generation", "Please add unit tests for this class: class Stack: ..."),
    (OFFICE, "code_generation", "def add(a, b): return a + b -- make this generic in TypeScript"),
    (OFFICE, "deep_reasoning", "Prove that the square root of two is irrational"),
    (OFFICE, "deep_reasoning", "Analyse step by step why the argument in this essay fails"),
    (OFFICE, "deep_reasoning", "Three people share a bill of 90 dollars unequally; work out who owes whom"),
    (OFFICE, "deep_reasoning", "Compare the long-term trade-offs of nuclear and solar power"),
    (OFFICE, "translation", "How do you say good morning in Japanese?"),
    (OFFICE, "translation", "Translate this letter into French: Dear Sir"),
    (OFFICE, "translation", "Render the following paragraph from German to English"),
    (OFFICE, "customer_support", "Where is my parcel? It should have come on Monday"),
    (OFFICE, "customer_support", "I want my money back for the broken kettle"),
    (OFFICE, "customer_support", "The invoice you sent shows the wrong amount"),
    (STUDIO, "deep_reasoning", "Review this pull request for race conditions"),
    (STUDIO, "deep_reasoning", "Why does this distributed lock deadlock under load? think carefully"),
    (STUDIO, "deep_reasoning", "Analyze the consequences of raising interest rates on housing"),
    (STUDIO, "quick_answer", "What is the capital of Australia?"),
    (STUDIO, "quick_answer", "How tall is Mount Everest?"),
    (STUDIO, "quick_answer", "hello, how are you?"),
    (STUDIO, "image_generation", "Draw a cat wearing a hat"),
    (STUDIO, "image_generation", "Make me a logo for a bakery"),
    (STUDIO, "image_generation", "Create an illustration of a spaceship landing on Mars"),
    (STUDIO, "summarization", "Give me the key points of this article"),
    (STUDIO, "summarization", "Sum up our meeting from this morning in five bullets"),
    (STUDIO, "summarization", "TL;DR of the report below"),
    (DESK, "code_understanding", "What does this regex do: ^a+$"),
    (DESK, "code_understanding", "Explain how this function works"),
    (DESK, "code_generation", "Write a quicksort in Rust"),
    (DESK, "code_generation", "Generate a Flask endpoint that uploads a file"),
    (DESK, "legal", "Is this non-compete clause enforceable in California?"),
    (DESK, "legal", "Draft a termination letter under my lease"),
    (DESK, "legal", "What liability do we have under the terms?"),
    (DESK, "travel", "Find me a cheap flight to Lisbon in May"),
    (DESK, "travel", "Which neighbourhood to stay in when visiting Rome?"),
    (DESK, "travel", "Plan a weekend in Prague"),
]
"""36 sentences over 12 routes; the threshold was chosen on these and on FOREIGN. Five fail, and stay."""

FOREIGN = [
    (OFFICE, "hi"),
    (OFFICE, "Thanks, that is all for today!"),
    (OFFICE, "Recommend a good movie for tonight"),
    (OFFICE, "What is the weather like in Oslo?"),
    (OFFICE, "Tell me a joke about cats"),
    (OFFICE, "Who won the football match yesterday?"),
    (OFFICE, "What should I cook for dinner?"),
    (OFFICE, "My knee hurts when I run"),
    (DESK, "What is 2 plus 2"),
    (DESK, "I feel sad today"),
    (DESK, "who painted the Mona Lisa"),
    (DESK, "best exercise for back pain"),
    (DESK, "tell me about dinosaurs"),
]
"""13 sentences that fit no route; three find one all the same."""

LONG = "The castle lies on a hill above the river. Clubs met in the city for a final before a large crowd. " * 15
CODE = "for (int i = 0; i < n; i++) { total += values[i] * weights[i]; if (total > limit) return -1; }\n" * 20


@pytest.fixture(scope="module")
def router() -> EmbeddedRouter:
    return EmbeddedRouter()


def chosen(router: EmbeddedRouter, routes: tuple[Route, ...], *said: str) -> str | None:
    return router.choose(routes, [Message("user", text) for text in said], TRACE)


def test_most_sentences_find_their_route(router: EmbeddedRouter) -> None:
    right = sum(chosen(router, routes, said) == name for routes, name, said in FITTING)

    assert right >= 31


def test_most_sentences_that_fit_nothing_find_no_route(router: EmbeddedRouter) -> None:
    left_out = sum(chosen(router, routes, said) is None for routes, said in FOREIGN)

    assert left_out >= 10


@pytest.mark.parametrize("threshold", [0.0, 0.3])
def test_the_threshold_is_where_both_are_best(router: EmbeddedRouter, threshold: float) -> None:
    def right(router: EmbeddedRouter) -> int:
        fitting = sum(chosen(router, routes, said) == name for routes, name, said in FITTING)
        return fitting + sum(chosen(router, routes, said) is None for routes, said in FOREIGN)

    assert right(router) > right(EmbeddedRouter(threshold=threshold))


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("translation", f"Translate into French: {LONG}"),
        ("translation", f"{LONG}\n\nTranslate the text above into German."),
        ("code_generation", f"Write unit tests for this code:\n{CODE}"),
        ("code_generation", f"{CODE}\nPlease write a new function which does the same without a loop"),
        ("customer_support", f"I want a refund. {LONG}"),
        ("deep_reasoning", f"{LONG} Analyse the argument step by step and find its flaws"),
    ],
)
def test_a_long_message_is_understood_by_its_ends(router: EmbeddedRouter, name: str, said: str) -> None:
    assert chosen(router, OFFICE, said) == name


def test_what_was_asked_before_places_a_question_that_says_little(router: EmbeddedRouter) -> None:
    assert chosen(router, OFFICE, "and dog?") != "translation"
    assert chosen(router, OFFICE, "How do you say cat in Korean?", "and dog?") == "translation"


@pytest.mark.parametrize(
    ("before", "now", "name"),
    [
        ("Write a Python class for a bank account", "Where is my parcel?", "customer_support"),
        ("Translate this letter into French", "Write a script that counts users", "code_generation"),
        ("I want a refund for the kettle", "Prove that the root of two is irrational", "deep_reasoning"),
        ("Prove Fermat's little theorem", "How do you say good morning in Japanese?", "translation"),
    ],
)
def test_what_was_asked_before_does_not_hide_a_new_wish(
    router: EmbeddedRouter, before: str, now: str, name: str
) -> None:
    assert chosen(router, OFFICE, before, now) == name


def test_only_what_the_user_says_counts(router: EmbeddedRouter) -> None:
    messages = [
        Message("user", "Translate this into French"),
        Message("assistant", "Your refund and invoice …"),
    ]

    assert router.choose(OFFICE, messages, TRACE) == "translation"
    assert router.choose(OFFICE, messages[1:], TRACE) is None


@pytest.mark.parametrize("said", ["", " \n", "\x00", "🦜" * 50, "a" * 20000])
def test_any_text_is_answered(router: EmbeddedRouter, said: str) -> None:
    assert chosen(router, OFFICE, said) in {None, *(route.name for route in OFFICE)}


def test_routes_without_words_are_no_trouble(router: EmbeddedRouter) -> None:
    routes = described(_="", x=" , ; . ")

    assert chosen(router, routes, "Translate this into French") is None


def test_without_routes_there_is_none(router: EmbeddedRouter) -> None:
    assert chosen(router, (), "Translate this into French") is None


def test_of_routes_that_fit_equally_the_first_wins(router: EmbeddedRouter) -> None:
    twins = tuple(Route(name, "translating text", ()) for name in ("a_b", "a b"))

    assert chosen(router, twins, "Translate this text") == "a_b"


def test_a_changed_description_counts_at_once(router: EmbeddedRouter) -> None:
    said = "Translate this letter into French"
    assert chosen(router, described(x="translating text"), said) == "x"

    assert chosen(router, described(x="refunds and invoices"), said) is None


def test_many_may_ask_at_once() -> None:
    router = EmbeddedRouter()
    asked = FITTING * 20

    with ThreadPoolExecutor(8) as pool:
        heard = list(pool.map(lambda case: chosen(router, case[0], case[2]), asked))

    assert heard == [chosen(router, routes, said) for routes, _, said in asked]


def test_a_config_without_a_url_means_the_embedded_router() -> None:
    router = build(None)

    assert router.choose(OFFICE, [Message("user", "Translate this into French")], TRACE) == "translation"


def test_nothing_heavy_is_imported_and_no_log_is_set_up() -> None:
    """Only the process that routes by itself pays for the vectors, and its log stays its own."""
    program = """
import logging, sys
from workers.router import embedded
assert not {"wordllama", "numpy", "tokenizers"} & set(sys.modules)
embedded.EmbeddedRouter()
assert not logging.root.handlers and logging.root.level == logging.WARNING
"""

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)

    assert (done.returncode, done.stderr) == (0, "")
