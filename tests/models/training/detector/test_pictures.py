import torch

from hounsfield.models.training.detector.pictures import detection_pictures


def test_a_picture_shows_image_target_and_prediction_at_the_nodule():
    heat = torch.zeros(2, 4, 4, 4)
    heat[0, 1, 2, 3] = 1
    marks = torch.full((2, 5, 4, 4, 4), -20.0)
    marks[0, 0, 1, 0, 0] = 20
    image = torch.zeros(2, 1, 16, 16, 16)
    image[0, 0, 6] = 1
    weight = torch.ones_like(heat)
    weight[1] = 0
    nodule, unknown = detection_pictures({"image": image, "heat": heat, "weight": weight}, marks)
    assert nodule.shape == (16, 48)
    assert (nodule[:, :16] == 255).all()
    assert (nodule[8:12, 28:32] == 255).all()
    assert nodule[0, 16] == 127
    assert (nodule[:4, 32:36] >= 254).all()
    assert not unknown.any()
