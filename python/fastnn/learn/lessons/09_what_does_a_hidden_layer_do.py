"""What does a hidden layer do? 12 minutes. After: 1, 2."""

import marimo

__generated_with = "0.25.2"
app = marimo.App(app_title="9. What does a hidden layer do?")


@app.cell
def setup():
    import fastnn
    import marimo as mo
    import numpy as np
    from fastnn.learn import lesson

    return fastnn, lesson, mo, np


@app.cell
def title(mo):
    mo.md("""
    # 9. What does a hidden layer do?

    Points of one class lie in a disc, those of the other class in a ring around it. Draw any
    straight line: both classes are on both sides of it. Yet put a few units between the inputs
    and the output, and the network parts the classes without a mistake. What do those units do?

    12 minutes. You need lessons 1 and 2: loss, gradient, step and rate.
    """)
    return


@app.cell
def data(fastnn, mo):
    x, y = fastnn.datasets.make_points("circles", 400, seed=7)
    x = x / 3
    mo.md(f"""
    ## One unit

    {len(x)} points of the plane, with the classes 0 (disc) and 1 (ring), as many of the one as of
    the other. A hidden unit looks at a point and answers with one number:

    ```
    z = w1 * x1 + w2 * x2 + b
    answer = relu(z) = max(z, 0)
    ```

    Where z is 0, there is a **straight line**. On one side of it the unit is silent. On the other
    side its answer grows with the distance from the line. Picture a sheet of paper that you have
    folded along the line: one half lies flat on the table, the other rises.

    The output adds such sheets up, each with a weight of its own, and a sigmoid turns the sum into
    the probability of class 1: above one half where the sum is positive.

    ```
    probability = sigmoid(v1 * answer1 + v2 * answer2 + ... + c)
    ```
    """)
    return x, y


@app.cell
def question(mo):
    three = "Three."
    prediction = mo.ui.radio(
        options=["One.", "Two.", three, "As many as there are points along the edge."],
        label="**Predict first.** How many relu units does it take to fence in the disc?",
    )
    prediction
    return prediction, three


@app.cell
def controls(lesson, mo, prediction):
    lesson.predict_first(mo, prediction)
    units = mo.ui.slider(1, 16, value=1, label="units of a layer", show_value=True)
    depth = mo.ui.slider(1, 4, value=1, label="hidden layers", show_value=True)
    bend = mo.ui.dropdown(["relu", "tanh", "sigmoid", "identity"], value="relu", label="activation")
    points = mo.ui.dropdown(["circles", "spiral"], value="circles", label="points")
    again = mo.ui.run_button(label="other initial weights")
    mo.vstack(
        [
            mo.md("""
            ## Fence it in

            Press **Run**, and watch. The large map shows what the network says everywhere; each
            small map shows what **one unit** says.

            1. One layer: go through 1, 2, 3 and 8 units.
            2. Give three units other initial weights, again and again. Do they always find it?
            3. With 8 units, take the identity as activation: z as it is, without the fold.
            4. Then the spiral. What serves it better, more units or more layers?
            """),
            mo.hstack([units, depth, bend, points, again], justify="start", gap=2, wrap=True),
        ]
    )
    return again, bend, depth, points, units


@app.cell
def picture_view():
    from fastnn.learn.live import LiveView

    view = LiveView(
        {"data": "circles", "layers": [1], "learning_rate": 0.02, "speed": 2000},
        show=("boundary", "network"),
    )
    return (view,)


@app.cell
def picture_fence(again, bend, depth, lesson, mo, np, points, prediction, units, view):
    lesson.predict_first(mo, prediction)
    if again.value:
        view.set({"seed": int(np.random.default_rng().integers(1000))})
    view.set(
        {
            "data": points.value,
            "layers": [units.value] * depth.value,
            "activations": [bend.value] * depth.value,
        }
    )
    view
    return


@app.cell
def starts(fastnn, np, x, y):
    def accuracies(units, starts=20):
        """Return the accuracy that one hidden layer reaches from each of some random starts."""
        found = []
        for seed in range(starts):
            model = fastnn.Sequential(
                [
                    fastnn.layers.Dense(units, "relu", kernel_initializer="he_normal"),
                    fastnn.layers.Dense(1, "sigmoid"),
                ],
                input_shape=2,
                seed=seed,
            )
            model.compile(
                fastnn.optimizers.Adam(0.03), loss="binary_crossentropy", metrics=["accuracy"]
            )
            model.fit(x, y, epochs=100, batch_size=20, verbose=0)
            found.append(model.evaluate(x, y)["accuracy"])
        return np.array(found)

    reached = {units: accuracies(units) for units in (1, 2, 3, 4, 8)}
    return (reached,)


@app.cell
def answer(lesson, mo, prediction, reached, three):
    lesson.reveal(
        mo,
        prediction,
        three,
        f"""Each unit folds the plane along one line. Two lines leave a way out, however they lie:
        a strip or a wedge that runs to infinity, and the best of 20 starts gets
        {reached[2].max():.0%} of the points right. Three lines can close the fence, and the best
        start gets {reached[3].max():.0%} right. Count the corners: the fence bends where it crosses
        a fold, and it can cross each fold twice. So three units make up to **six** corners.
        """,
    )
    return


@app.cell
def folds(mo):
    mo.md("""
    ## What the layer did

    Feed the answers of the hidden units to the output, and forget x. What the output sees is a new
    point, with one coordinate for each unit, and the output can only do what it always did: cut
    with something flat. In the plane of x no flat cut would do. **The hidden layer moves the points
    to a place where one does.** Nobody told it where. It learnt the place, by the same steps
    against the gradient that found a slope and a bias in lesson 1.

    A second hidden layer folds what is folded already. Its lines bend where they cross a fold of
    the first layer, so a single unit of the second can mark a strip that follows the spiral. No
    unit of the first can.
    """)
    return


@app.cell
def library_title(mo):
    mo.md("""
    ## In the library

    Two arms of a spiral, 1,600 points. Half of them train a network with two hidden layers of 32
    units; the other half, which it has never seen, tells how good it is.
    """)
    return


@app.cell
def library(fastnn, mo):
    spiral, arm = fastnn.datasets.make_points("spiral", 1600, seed=7)
    spiral = spiral / 3
    network = fastnn.MLPClassifier(
        (32, 32), learning_rate_init=0.01, batch_size=32, alpha=0, random_state=0
    )
    network.fit(spiral[:800], arm[:800])
    accuracy = network.score(spiral[800:], arm[800:])
    mo.show_code(f"accuracy on unseen points: {accuracy:.4f}", position="above")
    return accuracy, arm, spiral


@app.cell
def break_it(mo):
    flat = mo.ui.switch(label="take the folds out")
    mo.vstack(
        [
            mo.md("""
            ## Break it

            The same network, as deep and as wide, but each unit answers z, without the fold.
            """),
            flat,
        ]
    )
    return (flat,)


@app.cell
def unfolded(arm, fastnn, np, spiral):
    _network = fastnn.MLPClassifier(
        (32, 32), activation="identity", learning_rate_init=0.01, batch_size=32, random_state=0
    )
    flat_accuracy = _network.fit(spiral[:800], arm[:800]).score(spiral[800:], arm[800:])
    _two = fastnn.Sequential(
        [fastnn.layers.Dense(8), fastnn.layers.Dense(1)], input_shape=2, seed=0
    )
    _two.set_weights({f"{name}/bias": np.ones(n) for name, n in (("dense", 8), ("dense_1", 1))})
    _w1, _b1, _w2, _b2 = _two.get_weights()
    _one = spiral @ (_w1 @ _w2) + (_b1 @ _w2 + _b2)
    two_and_one = np.abs(_two.predict(spiral) - _one).max()
    return flat_accuracy, two_and_one


@app.cell
def what_broke(flat, flat_accuracy, mo, two_and_one):
    mo.stop(not flat.value)
    mo.md(f"""
    It gets {flat_accuracy:.0%} of the unseen points right; a coin gets 50%. The layers are worth
    nothing, for

    ```
    (x @ W1 + b1) @ W2 + b2   =   x @ (W1 @ W2) + (b1 @ W2 + b2)
    ```

    and on the right there is **one** layer, with other weights. We computed both sides for a
    network of the library: they differ by {two_and_one:.0e}, which is rounding. However many flat
    layers you stack, you have a line. It is the fold between two layers that makes them two.
    """)
    return


@app.cell
def chain(mo):
    mo.md("""
    ## How does a hidden weight know what to do?

    Nobody says what a hidden unit should answer; only the loss at the very end counts. So ask, for
    each number z in the network: *if z were a little larger, by how much would the loss grow?* Call
    the answer d.

    - At the **output**, with a sigmoid and the log-loss, d = probability - y. Nothing is simpler.
    - **One layer back**: z went through the fold, and then through weights to the next layer. So
      take the d of the next layer, multiply by these weights, add up, and multiply by the slope of
      the fold: 1 where the unit spoke, 0 where it was silent. This is the **chain rule**.
    - **A weight** carried an answer forward to some z: its gradient is that answer times that d.

    From the end to the beginning, every d is made of those behind it. That is
    **backpropagation**, whole.
    """)
    return


@app.cell
def small(arm, fastnn, spiral):
    _relu = {"activation": "relu", "kernel_initializer": "he_normal"}
    model = fastnn.Sequential(
        [
            fastnn.layers.Dense(8, **_relu),
            fastnn.layers.Dense(8, **_relu),
            fastnn.layers.Dense(1, "sigmoid"),
        ],
        input_shape=2,
        seed=0,
    )
    model.compile("sgd", loss="binary_crossentropy")
    loss, gradients = model.gradients(spiral, arm)
    return gradients, loss, model


@app.cell
def plain_python_title(mo):
    mo.md("""
    ## The same in plain Python

    A network 2-8-8-1 with its initial weights, all points as one batch. First forwards, then back.
    """)
    return


@app.cell
def plain_python(arm, mo, model, np, spiral):
    w1, b1, w2, b2, w3, b3 = model.get_weights()
    target = arm[:, np.newaxis]
    h1 = np.maximum(spiral @ w1 + b1, 0)
    h2 = np.maximum(h1 @ w2 + b2, 0)
    p = 1 / (1 + np.exp(-(h2 @ w3 + b3)))
    loss_by_hand = -np.mean(np.log(np.where(target == 1, p, 1 - p)))
    d3 = (p - target) / len(spiral)
    d2 = d3 @ w3.T * (h2 > 0)
    d1 = d2 @ w2.T * (h1 > 0)
    pairs = [(spiral, d1), (h1, d2), (h2, d3)]
    by_hand = [gradient for h, d in pairs for gradient in (h.T @ d, d.sum(0))]
    mo.show_code(f"loss {loss_by_hand:.6f}", position="above")
    return by_hand, loss_by_hand


@app.cell
def the_same(by_hand, gradients, loss, loss_by_hand, mo, np):
    largest = max(np.abs(gradient).max() for gradient in gradients.values())
    apart = max(
        np.abs(gradient - mine).max() / largest
        for gradient, mine in zip(gradients.values(), by_hand, strict=True)
    )
    mo.md(f"""
    `model.gradients(spiral, arm)` of the library gives a loss of {loss:.6f}; yours differs by
    {abs(loss - loss_by_hand):.0e}. All {sum(gradient.size for gradient in by_hand)} gradients
    agree as well: the largest difference is {apart:.0e} of the largest gradient. The three lines
    that begin with d are all there is to "deep learning works backwards".
    """)
    return (apart,)


@app.cell
def mistake(mo, reached):
    _rows = "\n    ".join(
        f"| {units} | {found.max():.1%} | {(found > 0.99).sum()} of {len(found)} |"
        for units, found in reached.items()
    )
    mo.md(
        f"""
    ## Spot the mistake

    > "Three units can fence in the disc, so take three units."

    What a network *can* say is one thing, what training *finds* is another. Each size was trained
    20 times, from other random weights:

    | units | best start | starts that reach 99 % |
    | --- | --- | --- |
    {_rows}

    With three units, every one of them has to end up in the right place, and one that falls silent
    for all points never moves again. With eight, some three will do. **Give a network more units
    than the answer needs**, and keep it from learning noise by other means (lesson 6).
    """
    )
    return


@app.cell
def threes_and_eights(fastnn, mo):
    from sklearn.datasets import load_digits

    _digits = load_digits()
    _chosen = (_digits.target == 3) | (_digits.target == 8)
    pixels, is_eight = _digits.data[_chosen] / 16, _digits.target[_chosen] == 8
    reader = fastnn.MLPClassifier((8,), max_iter=400, alpha=0.1, batch_size=32, random_state=0)
    reader.fit(pixels[:240], is_eight[:240])
    read = reader.score(pixels[240:], is_eight[240:])
    mo.md("""
    ## What do units look at?

    With two inputs, a unit's weights are a direction in the plane. With 64 pixels as inputs they
    are a **picture**: orange where the unit likes ink, purple where it does not. Here are the eight
    units of a network that tells a handwritten 3 from an 8. Some look at the left, where a 3 is
    open and an 8 is closed. A silent one answers 0 to every digit and has faded away.
    """)
    return is_eight, pixels, read, reader


@app.cell
def picture_units(is_eight, lesson, np, pixels, read, reader):
    _kernel, _out = reader.coefs_
    _largest = np.abs(_kernel).max()

    def _draw(*axes):
        _means = [pixels[~is_eight].mean(0), pixels[is_eight].mean(0)]
        for ax, image, name in zip(axes[:2], _means, ("mean 3", "mean 8"), strict=True):
            ax.imshow(image.reshape(8, 8), cmap="Greys")
            ax.set_title(name)
        for ax, unit in zip(axes[2:], np.argsort(_out[:, 0]), strict=True):
            image = _kernel[:, unit].reshape(8, 8)
            ax.imshow(image, cmap="PuOr_r", vmin=-_largest, vmax=_largest)
            word = "for 8" if _out[unit, 0] > 0 else "for 3"
            ax.set_title(word if np.abs(image).max() > 0.01 else "silent")
        for ax in axes:
            ax.set_axis_off()

    lesson.figure(
        _draw,
        alt=f"A mean 3, a mean 8, and the weights of eight units as pictures of 8 by 8 pixels. "
        f"Units for 8 like ink at the left, where a 3 is open. They read {read:.1%} right.",
        columns=10,
        size=(11, 1.6),
    )
    return


@app.cell
def exercise_1(lesson, mo):
    exercise_1 = lesson.Exercise(
        "9.1",
        "How many parameters (weights and biases) has a network with 2 inputs, two hidden layers"
        " of 16 units, and one output?",
        answer=2 * 16 + 16 + 16 * 16 + 16 + 16 * 1 + 1,
        hint="A layer has a weight for each pair of an input and a unit, and a bias for each unit.",
        why="2 * 16 + 16, then 16 * 16 + 16, then 16 + 1. Most are between the hidden layers.",
    )
    answer_1 = exercise_1.ask(mo)
    answer_1
    return answer_1, exercise_1


@app.cell
def verdict_1(answer_1, exercise_1, mo):
    exercise_1.verdict(mo, answer_1.value)
    return


@app.cell
def exercise_2(fastnn, lesson, mo):
    _unit = {"use_bias": False, "kernel_initializer": fastnn.initializers.Constant(3)}
    _tiny = fastnn.Sequential(
        [
            fastnn.layers.Dense(1, "relu", kernel_initializer="ones"),
            fastnn.layers.Dense(1, **_unit),
        ],
        input_shape=1,
    ).compile(loss="mse")
    exercise_2 = lesson.Exercise(
        "9.2",
        "One input x = 2, one hidden unit h = relu(w * x) with w = 1, the output p = v * h with"
        " v = 3, the loss (p - y)² with y = 5. What is the gradient of w?",
        answer=_tiny.gradients([[2.0]], [[5.0]])[1]["dense/kernel"].item(),
        tolerance=1e-3,
        hint="Forwards: h = 2, p = 6. Back: 2 * (p - y), times v, times the slope of the fold,"
        " times x.",
        why="2 * (6 - 5) * 3 * 1 * 2. The library says so too. With w = -1 it would be 0: the unit"
        " is silent, and no gradient gets through. Lesson 10 takes that up.",
    )
    answer_2 = exercise_2.ask(mo)
    answer_2
    return answer_2, exercise_2


@app.cell
def verdict_2(answer_2, exercise_2, mo):
    exercise_2.verdict(mo, answer_2.value)
    return


@app.cell
def reading(mo):
    mo.md("""
    **Read on:** Rumelhart, Hinton and Williams, *Learning representations by back-propagating
    errors*, Nature 323, 1986: four pages that started it. Montúfar, Pascanu, Cho and Bengio, *On
    the number of linear regions of deep neural networks*, 2014, count the folds.
    """)
    return


@app.cell
def facts(accuracy, apart, flat_accuracy, lesson, loss, loss_by_hand, reached, read, two_and_one):
    _share = {units: (found > 0.99).mean() for units, found in reached.items()}
    facts = [
        lesson.Fact("loss of NumPy and library differ by", abs(loss - loss_by_hand), "<", 1e-5),
        lesson.Fact("gradients differ, over the largest, by", apart, "<", 1e-5),
        lesson.Fact("two flat layers and one differ by", two_and_one, "<", 1e-5),
        lesson.Fact("accuracy on unseen points of the spiral", accuracy, ">", 0.98),
        lesson.Fact("accuracy without folds", flat_accuracy, "<", 0.7),
        lesson.Fact("best accuracy of two units around the disc", reached[2].max(), "<", 0.9),
        lesson.Fact("best accuracy of three units", reached[3].max(), ">", 0.99),
        lesson.Fact("share of starts that lead three units to 99 %", _share[3], "in", (0.2, 0.8)),
        lesson.Fact("share of starts that lead eight units there", _share[8], ">=", 0.95),
        lesson.Fact("accuracy on unseen threes and eights", read, ">", 0.9),
    ]
    lesson.check(facts)
    return (facts,)


if __name__ == "__main__":
    app.run()
